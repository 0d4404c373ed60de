//! Which key created what is kept at vendors: files, batches, answers, conversations. All keys share an account there, so the
//! vendor cannot tell them apart; this register can.
//!
//! An id is remembered by its digest, with the key and the account that holds it. The file beside it is only appended to; what
//! is lost of it is refused later, never given to another key.

use crate::base::event::{Event, NoSink, Sink};
use crate::base::hash::Digest;
use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The file's name in the state directory.
const FILE: &str = "ids.log";
/// Ids that one key may have: a flood of one takes nothing from the others.
const MOST_OF_KEY: usize = 50_000;
/// Ids of all keys, of about 150 bytes each.
const MOST: usize = 500_000;

/// The register.
pub struct Ids {
    inner: Mutex<Inner>,
    sink: Arc<dyn Sink>,
}

#[derive(Debug, Default)]
struct Inner {
    by_id: HashMap<Digest, Owned>,
    /// The ids of each key, oldest first.
    by_key: HashMap<Arc<str>, VecDeque<Digest>>,
    accounts: HashMap<Box<str>, Arc<str>>,
    file: Option<File>,
    /// The last append failed, and may have left half a line.
    failing: bool,
}

#[derive(Clone, Debug)]
struct Owned {
    key: Arc<str>,
    account: Arc<str>,
}

/// Whose an id is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    /// The key that asks, and the account that holds it.
    Own(Arc<str>),
    /// Another key.
    Foreign,
    /// Nobody that is known.
    Unknown,
}

impl fmt::Debug for Ids {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ids").finish_non_exhaustive()
    }
}

impl Ids {
    /// A register in memory alone.
    #[must_use]
    pub fn in_memory() -> Arc<Self> {
        Arc::new(Self { inner: Mutex::default(), sink: Arc::new(NoSink) })
    }

    /// The register that the state directory keeps; `sink` is told when it cannot be written, and when it can again.
    ///
    /// # Errors
    /// The file cannot be read or written anew.
    pub fn open(directory: &Path, sink: Arc<dyn Sink>) -> io::Result<Arc<Self>> {
        let path = directory.join(FILE);
        let about = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(about(error)),
        };
        let mut inner = Inner::default();
        let mut lines = 0;
        for (id, key, account) in String::from_utf8_lossy(&text).lines().filter_map(entry) {
            lines += 1;
            inner.enter(id, key, account);
        }
        // only what was forgotten since makes the file longer than the register, or an end that was cut off
        if lines > inner.by_id.len() || (!text.is_empty() && !text.ends_with(b"\n")) {
            inner.rewrite(&path).map_err(about)?;
        }
        fs::create_dir_all(directory).map_err(about)?;
        inner.file = Some(OpenOptions::new().append(true).create(true).open(&path).map_err(about)?);
        Ok(Arc::new(Self { inner: Mutex::new(inner), sink }))
    }

    /// Whose `id` is, as `key` may know it.
    #[must_use]
    pub fn owner(&self, key: &str, id: &str) -> Owner {
        match self.lock().by_id.get(&Digest::plain(id.as_bytes())) {
            Some(owned) if *owned.key == *key => Owner::Own(Arc::clone(&owned.account)),
            Some(_) => Owner::Foreign,
            None => Owner::Unknown,
        }
    }

    /// Notes that `key` created these ids at `account`. What another key has already stays its own. Where the file cannot be
    /// appended to they are known until the process ends: after that they are refused, which harms their own key alone.
    pub fn claim<'a>(&self, key: &str, account: &str, ids: impl IntoIterator<Item = &'a str>) {
        let mut inner = self.lock();
        let mut lines = String::new();
        for id in ids {
            let id = Digest::plain(id.as_bytes());
            if inner.enter(id, key, account) {
                lines.push_str(&format!("{id} {key} {account}\n"));
            }
        }
        let told = if lines.is_empty() { None } else { inner.append(lines) };
        drop(inner);
        told.into_iter().for_each(|event| self.sink.emit(event));
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A line: the digest, the key's name, and the account, which may hold blanks.
fn entry(line: &str) -> Option<(Digest, &str, &str)> {
    let mut parts = line.splitn(3, ' ');
    Some((Digest::from_hex(parts.next()?)?, parts.next()?, parts.next()?))
}

impl Inner {
    /// Whether it is new.
    fn enter(&mut self, id: Digest, key: &str, account: &str) -> bool {
        if self.by_id.contains_key(&id) {
            return false;
        }
        let key = match self.by_key.get_key_value(key) {
            Some((known, _)) => Arc::clone(known),
            None => Arc::from(key),
        };
        let account = Arc::clone(self.accounts.entry(account.into()).or_insert_with(|| account.into()));
        self.by_id.insert(id, Owned { key: Arc::clone(&key), account });
        let own = self.by_key.entry(Arc::clone(&key)).or_default();
        own.push_back(id);
        if own.len() > MOST_OF_KEY {
            self.forget_oldest_of(&key);
        } else if self.by_id.len() > MOST {
            let greatest = self.by_key.iter().max_by_key(|(_, ids)| ids.len()).map(|(key, _)| Arc::clone(key));
            greatest.into_iter().for_each(|key| self.forget_oldest_of(&key));
        }
        true
    }

    /// Appends lines to the file, if there is one; what is to be told of it, where that changed.
    fn append(&mut self, mut lines: String) -> Option<Event> {
        if self.failing {
            lines.insert(0, '\n');
        }
        let written = self.file.as_mut()?.write_all(lines.as_bytes());
        let changed = written.is_err() != std::mem::replace(&mut self.failing, written.is_err());
        changed.then(|| Event::Ids { failing: written.err().map(|error| error.to_string().into()) })
    }

    fn forget_oldest_of(&mut self, key: &Arc<str>) {
        if let Some(oldest) = self.by_key.get_mut(key).and_then(VecDeque::pop_front) {
            self.by_id.remove(&oldest);
        }
    }

    /// Replaces the file by one that holds what is known, in the order in which it was learnt.
    fn rewrite(&self, path: &Path) -> io::Result<()> {
        let fresh = path.with_extension("log.new");
        let mut file = io::BufWriter::new(File::create(&fresh)?);
        for (key, ids) in &self.by_key {
            for (id, owned) in ids.iter().filter_map(|id| Some((id, self.by_id.get(id)?))) {
                writeln!(file, "{id} {key} {}", owned.account)?;
            }
        }
        file.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
        fs::rename(&fresh, path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_belongs_to_the_key_that_created_it() {
        let ids = Ids::in_memory();
        ids.claim("a", "openai https://one default", ["file-1", "file-2"]);
        ids.claim("b", "openai https://two default", ["file-1"]);
        assert_eq!(ids.owner("a", "file-1"), Owner::Own("openai https://one default".into()));
        assert_eq!(ids.owner("b", "file-1"), Owner::Foreign);
        assert_eq!(ids.owner("b", "file-3"), Owner::Unknown);
    }

    #[test]
    fn it_outlives_the_process_and_an_end_that_was_cut_off() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(FILE);
        Ids::open(directory.path(), Arc::new(NoSink)).unwrap().claim("a", "here", ["one", "two"]);
        let mut text = fs::read_to_string(&path).unwrap();
        text.push_str("0badc0de");
        fs::write(&path, &text).unwrap();
        let ids = Ids::open(directory.path(), Arc::new(NoSink)).unwrap();
        ids.claim("a", "here", ["three"]);
        let again = Ids::open(directory.path(), Arc::new(NoSink)).unwrap();
        for id in ["one", "two", "three"] {
            assert_eq!(again.owner("a", id), Owner::Own("here".into()), "{id}");
        }
        let kept = fs::read_to_string(&path).unwrap();
        assert!(!kept.contains("one") && !kept.contains("0badc0de\n"), "{kept}");
    }

    #[test]
    fn a_key_that_floods_pushes_out_its_own() {
        let ids = Ids::in_memory();
        ids.claim("quiet", "here", ["mine"]);
        for number in 0..=MOST_OF_KEY {
            ids.claim("loud", "here", [&*format!("id-{number}")]);
        }
        assert_eq!(ids.owner("quiet", "mine"), Owner::Own("here".into()));
        assert_eq!(ids.owner("loud", "id-0"), Owner::Unknown);
        assert_eq!(ids.owner("loud", &format!("id-{MOST_OF_KEY}")), Owner::Own("here".into()));
    }

    /// A sink that keeps why the register could not be written.
    #[derive(Default)]
    struct Kept(Mutex<Vec<bool>>);

    impl Sink for Kept {
        fn emit(&self, event: Event) {
            if let Event::Ids { failing } = event {
                self.0.lock().unwrap().push(failing.is_some());
            }
        }
    }

    #[test]
    fn a_disk_that_is_full_is_told_once_and_so_is_its_end() {
        let directory = tempfile::tempdir().unwrap();
        let sink = Arc::new(Kept::default());
        let ids = Ids::open(directory.path(), Arc::<Kept>::clone(&sink)).unwrap();
        let sound = ids.lock().file.replace(OpenOptions::new().write(true).open("/dev/full").unwrap());
        ids.claim("a", "here", ["one"]);
        ids.claim("a", "here", ["two"]);
        assert_eq!(ids.owner("a", "two"), Owner::Own("here".into()));
        ids.lock().file = sound;
        ids.claim("a", "here", ["three"]);
        assert_eq!(*sink.0.lock().unwrap(), [true, false]);
        let again = Ids::open(directory.path(), Arc::new(NoSink)).unwrap();
        assert_eq!([again.owner("a", "one"), again.owner("a", "three")], [Owner::Unknown, Owner::Own("here".into())]);
    }
}
