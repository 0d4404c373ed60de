//! Ids of function calls: Google's own calls have none or one, and results name the function; elsewhere a result finds its
//! call by id alone. So each call gets an id as it is read, and a made-up one is left out as it is written.

const MADE_UP: &str = "gemini-call-";

/// An id for the call at this place among those of a conversation, or of the answer that is `of` this id.
fn made_up(of: &str, place: usize) -> String {
    if of.is_empty() { format!("{MADE_UP}{place}") } else { format!("{MADE_UP}{of}-{place}") }
}

/// An id that a vendor or client gave.
pub(super) fn given(id: &str) -> Option<&str> {
    Some(id).filter(|id| !id.is_empty() && !id.starts_with(MADE_UP))
}

/// The calls of a conversation, or of an answer, as they are read, so that results find theirs.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    of: String,
    calls: Vec<Call>,
}

#[derive(Debug)]
struct Call {
    id: String,
    name: String,
    answered: bool,
}

impl Calls {
    /// The calls of the answer that has this id.
    pub(super) fn of(answer: &str) -> Self {
        Self { of: answer.to_owned(), calls: Vec::new() }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.calls.len()
    }

    /// Notes a call and tells its id.
    pub(super) fn call(&mut self, id: Option<String>, name: &str) -> String {
        let id = id.filter(|id| !id.is_empty()).unwrap_or_else(|| made_up(&self.of, self.calls.len()));
        self.calls.push(Call { id: id.clone(), name: name.to_owned(), answered: false });
        id
    }

    /// The id of the call that a result answers: the one with the same id, else the first of the same name that nothing has
    /// answered yet, as parallel results come in the order of their calls.
    pub(super) fn result(&mut self, id: Option<&str>, name: &str) -> Option<String> {
        let id = id.filter(|id| !id.is_empty());
        let found = self.calls.iter_mut().find(|call| match id {
            Some(id) => call.id == id,
            None => call.name == name && !call.answered,
        })?;
        found.answered = true;
        Some(found.id.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_find_their_calls_in_order() {
        let mut calls = Calls::default();
        let ids = [calls.call(None, "f"), calls.call(Some("x".into()), "g"), calls.call(None, "f")];
        assert_eq!(ids.iter().map(|id| given(id)).collect::<Vec<_>>(), [None, Some("x"), None]);
        assert_eq!(calls.result(None, "f").as_ref(), Some(&ids[0]));
        assert_eq!(calls.result(Some("x"), "g").as_ref(), Some(&ids[1]));
        assert_eq!(calls.result(None, "f").as_ref(), Some(&ids[2]));
        assert_eq!((calls.result(None, "f"), calls.result(Some("y"), "g")), (None, None));
    }
}
