//! Where a second answer joins what the client has of the first: each character once, or not at all.
//!
//! Nothing of the second answer goes out before it has repeated the end of the first to the letter, or the whole of it from
//! its beginning. A vendor that takes a prefill repeats nothing; some echo it all the same.

use crate::exchange::continuation::decide::Manner;

/// Fewest characters that a repeat must have to prove anything.
pub(crate) const PROOF_CHARACTERS: usize = 16;
/// A repeat may begin elsewhere than it was asked to, but no farther from the end than this.
const WINDOW_BYTES: usize = 1_024;

/// Holds a second answer back until it joins.
#[derive(Clone, Debug)]
pub(crate) struct Seam {
    manner: Manner,
    /// What the client has.
    delivered: Box<str>,
    /// What the second answer has said so far.
    heard: String,
}

/// What is known after the second answer has said more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// It may still join.
    Waiting,
    /// It joins; this much of it is new.
    Joined(String),
    /// It is another answer.
    Another,
}

impl Seam {
    /// After `delivered`, an answer that was asked for in this manner.
    pub(crate) fn new(manner: Manner, delivered: &str) -> Self {
        Self { manner, delivered: delivered.into(), heard: String::new() }
    }

    /// Takes in more of the second answer.
    pub(crate) fn push(&mut self, more: &str) -> Heard {
        self.heard.push_str(more);
        self.judge(false)
    }

    /// The second answer has ended.
    pub(crate) fn end(&self) -> Heard {
        match self.judge(true) {
            Heard::Waiting => Heard::Another,
            heard => heard,
        }
    }

    fn judge(&self, ended: bool) -> Heard {
        if self.delivered.trim().is_empty() {
            return Heard::Joined(self.heard.clone());
        }
        match self.manner {
            Manner::Prefill => self.after_prefill(ended),
            Manner::Repeat | Manner::Fresh | Manner::Prefix => self.after_repeat(ended),
        }
    }

    /// The answer goes on behind the text that was sent without its last blanks; where it echoes that text, behind the echo.
    fn after_prefill(&self, ended: bool) -> Heard {
        let again = match self.delivered.chars().count() {
            PROOF_CHARACTERS.. => progress(&self.delivered, &self.heard),
            _ => self.few_again(ended),
        };
        match again {
            Progress::Whole(rest) => Heard::Joined(rest.to_owned()),
            Progress::Part if !ended => Heard::Waiting,
            Progress::Part | Progress::No => self.behind_blanks(ended),
        }
    }

    /// How far an answer repeats a few characters. A few may come twice in one text, so it has to be to the letter, from the
    /// first one on and up to the end of a word: behind "The", "The hills" begins anew, " hills" and "Then" go on.
    fn few_again(&self, ended: bool) -> Progress<'_> {
        let Some(rest) = self.heard.strip_prefix(&*self.delivered) else {
            return if self.delivered.starts_with(&self.heard) { Progress::Part } else { Progress::No };
        };
        let inside_word = |next: char| next.is_alphanumeric() && self.delivered.ends_with(char::is_alphanumeric);
        match rest.chars().next() {
            None if !ended => Progress::Part,
            Some(next) if inside_word(next) => Progress::No,
            _ => Progress::Whole(rest),
        }
    }

    /// The blanks at the end of what was delivered were left out of the prefill, and come again.
    fn behind_blanks(&self, ended: bool) -> Heard {
        let blanks = self.delivered.get(self.delivered.trim_end().len()..).unwrap_or_default();
        let again = blanks.chars().zip(self.heard.chars()).take_while(|(blank, heard)| blank == heard);
        let again: usize = again.map(|(blank, _)| blank.len_utf8()).sum();
        if again == self.heard.len() && again < blanks.len() && !ended {
            return Heard::Waiting;
        }
        Heard::Joined(self.heard.get(again..).unwrap_or_default().to_owned())
    }

    fn after_repeat(&self, ended: bool) -> Heard {
        let mut joined = None;
        let mut waiting = false;
        for start in self.starts() {
            match progress(self.delivered.get(start..).unwrap_or_default(), &self.heard) {
                Progress::No => {}
                Progress::Part => waiting = true,
                // two places at which it could join are none
                Progress::Whole(_) if joined.is_some() => return Heard::Another,
                Progress::Whole(rest) => joined = Some(rest),
            }
        }
        match joined {
            Some(rest) if !waiting || ended => Heard::Joined(rest.to_owned()),
            None if !waiting => Heard::Another,
            Some(_) | None => Heard::Waiting,
        }
    }

    /// The places of the delivered text at which a repeat may begin: its beginning, and those near the end that leave enough
    /// characters to prove that it is one.
    fn starts(&self) -> impl Iterator<Item = usize> + '_ {
        let text = &*self.delivered;
        let last = text.char_indices().rev().nth(PROOF_CHARACTERS - 1).map_or(0, |(place, _)| place);
        let first = text.len().saturating_sub(WINDOW_BYTES).max(1);
        let near = if self.manner == Manner::Repeat { first..last + 1 } else { 0..0 };
        let is_no_blank = |place: &usize| text.get(*place..).is_some_and(|rest| !rest.starts_with(char::is_whitespace));
        std::iter::once(0).chain(near.filter(is_no_blank))
    }
}

/// How far a text has repeated another.
enum Progress<'a> {
    /// Not at all.
    No,
    /// Its beginning.
    Part,
    /// All of it; this follows.
    Whole(&'a str),
}

/// How far `heard` has repeated `text`; blanks before the first word do not count.
fn progress<'a>(text: &str, heard: &'a str) -> Progress<'a> {
    let (text, heard) = (text.trim_start(), heard.trim_start());
    match heard.strip_prefix(text) {
        Some(rest) => Progress::Whole(rest),
        None if text.starts_with(heard) => Progress::Part,
        None => Progress::No,
    }
}

/// Where the words begin that a model is asked to repeat: some of the last ones, which the text holds once. All of a short
/// text; `None` for a text that repeats itself so that no place in it can be told from another.
pub(crate) fn tail(delivered: &str) -> Option<usize> {
    let start = |characters: usize| {
        let place = delivered.char_indices().rev().nth(characters - 1).map_or(0, |(place, _)| place);
        let before = delivered.get(..place).unwrap_or_default();
        // a word is repeated whole, if it is none without blanks
        let word = before.rfind(char::is_whitespace).map_or(0, |blank| blank + 1);
        let word = if place - word.min(place) > LONGEST_WORD_BYTES { place } else { word };
        delivered.len() - delivered.get(word..).unwrap_or_default().trim_start().len()
    };
    TAIL_CHARACTERS.into_iter().map(start).find(|start| {
        let repeated = delivered.get(*start..).unwrap_or_default();
        !repeated.is_empty() && delivered.find(repeated) == Some(*start)
    })
}

/// How many characters a model is asked to repeat at least; more where fewer are found twice.
const TAIL_CHARACTERS: [usize; 5] = [60, 120, 240, 480, 960];
const LONGEST_WORD_BYTES: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SAID: &str = "The old harbour lies behind two low hills, and every morning the boats go out";

    /// Feeds an answer in pieces and gives what joins, or `None` for another answer.
    fn feed(manner: Manner, delivered: &str, pieces: &[&str]) -> Option<String> {
        let mut seam = Seam::new(manner, delivered);
        let mut new: Option<String> = None;
        for piece in pieces {
            match &mut new {
                Some(new) => new.push_str(piece),
                None => match seam.push(piece) {
                    Heard::Waiting => {}
                    Heard::Joined(rest) => new = Some(rest),
                    Heard::Another => return None,
                },
            }
        }
        new.or_else(|| match seam.end() {
            Heard::Joined(rest) => Some(rest),
            Heard::Waiting | Heard::Another => None,
        })
    }

    fn check(manner: Manner, delivered: &str, answer: &str, expected: Option<&str>) {
        assert_eq!(feed(manner, delivered, &[answer]).as_deref(), expected, "{manner:?} {delivered:?} {answer:?}");
        let letters: Vec<String> = answer.chars().map(String::from).collect();
        let letters: Vec<&str> = letters.iter().map(String::as_str).collect();
        assert_eq!(feed(manner, delivered, &letters).as_deref(), expected, "letter by letter: {answer:?}");
    }

    #[test]
    fn a_repeat_of_the_end_joins() {
        check(Manner::Repeat, SAID, "morning the boats go out to sea.", Some(" to sea."));
        check(Manner::Repeat, SAID, "\n morning the boats go out to sea.", Some(" to sea."));
        check(Manner::Repeat, SAID, "every morning the boats go out", Some(""));
        check(Manner::Repeat, "Zwölf Boxkämpfer jagen", "Boxkämpfer jagen Viktor", Some(" Viktor"));
    }

    #[test]
    fn an_answer_that_begins_anew_joins_behind_all_that_was_delivered() {
        for manner in [Manner::Repeat, Manner::Fresh, Manner::Prefix, Manner::Prefill] {
            check(manner, SAID, &format!("{SAID} to sea."), Some(" to sea."));
        }
        check(Manner::Fresh, "Hi", "Hi there", Some(" there"));
        check(Manner::Prefix, "Hi", "Hi there", Some(" there"));
        check(Manner::Repeat, "Hi", "Hi there", Some(" there"));
    }

    #[test]
    fn anything_else_is_another_answer() {
        check(Manner::Repeat, SAID, "to sea.", None);
        check(Manner::Repeat, SAID, "Of course! morning the boats go out to sea.", None);
        check(Manner::Repeat, SAID, "morning the boats go home.", None);
        // fifteen characters prove nothing
        check(Manner::Repeat, SAID, "he boats go out to sea.", None);
        check(Manner::Repeat, SAID, "morning the boa", None);
        check(Manner::Fresh, SAID, "every morning the boats go out to sea.", None);
        check(Manner::Repeat, SAID, "", None);
        check(Manner::Prefix, SAID, " to sea.", None);
    }

    #[test]
    fn a_text_that_repeats_itself_joins_at_one_place_or_nowhere() {
        let said = "no no no no no no no no no no no no";
        check(Manner::Repeat, said, "no no no no no no yes", Some(" yes"));
        check(Manner::Repeat, said, &format!("{said} yes"), None);
        check(Manner::Fresh, said, &format!("{said} yes"), Some(" yes"));
        assert_eq!(tail(&"no ".repeat(2_000)), None);
    }

    #[test]
    fn a_prefilled_answer_goes_on_behind_the_blanks() {
        check(Manner::Prefill, SAID, " to sea.", Some(" to sea."));
        check(Manner::Prefill, &format!("{SAID} "), " to sea.", Some("to sea."));
        check(Manner::Prefill, &format!("{SAID}\n\n"), "\n\n- fish", Some("- fish"));
        check(Manner::Prefill, &format!("{SAID}\n"), "\n\n- fish", Some("\n- fish"));
        check(Manner::Prefill, SAID, "", Some(""));
        check(Manner::Prefill, "The ", "The end", Some("end"));
        check(Manner::Prefill, "The", "The end", Some(" end"));
        check(Manner::Prefill, "The", "The", Some(""));
        check(Manner::Prefill, "A very", " very old", Some(" very old"));
        check(Manner::Prefill, "A", "Anchor", Some("Anchor"));
    }

    #[test]
    fn nothing_delivered_needs_no_seam() {
        check(Manner::Fresh, "", "Hello", Some("Hello"));
    }

    #[test]
    fn the_words_to_repeat_are_the_last_ones_whole_and_once() {
        let words = |delivered: &str| tail(delivered).map(|start| delivered[start..].to_owned());
        assert_eq!(words(SAID).as_deref(), Some("lies behind two low hills, and every morning the boats go out"));
        assert_eq!(words("Hi").as_deref(), Some("Hi"));
        let twice = format!("{SAID}. {SAID}. But then {SAID}");
        assert!(words(&twice).is_some_and(|words| words.contains("But then")), "{:?}", words(&twice));
        assert_eq!(words(&"ä".repeat(50)).map(|words| words.len()), Some(100));
    }

    proptest! {
        /// Whatever is cut where: what was delivered and what joins are the whole answer, each character once.
        #[test]
        fn delivered_and_joined_are_the_whole(
            words in proptest::collection::vec("[a-zà-ü]{1,9}", 12..60),
            cut in 0.0..1.0_f64,
            pieces in proptest::collection::vec(1..20_usize, 1..80),
            manner in prop_oneof![Just(Manner::Prefill), Just(Manner::Prefix), Just(Manner::Repeat), Just(Manner::Fresh)],
        ) {
            let whole: Vec<char> = words.join(" ").chars().collect();
            let at = (whole.len() as f64 * cut) as usize;
            let delivered: String = whole[..at].iter().collect();
            let from = match manner {
                Manner::Prefill => delivered.trim_end().chars().count(),
                Manner::Repeat => tail(&delivered).map_or(0, |start| delivered[..start].chars().count()),
                Manner::Fresh | Manner::Prefix => 0,
            };
            let mut rest = &whole[from..];
            // "ma" and "ma" of "mama" cannot be told from a second beginning
            let twice = delivered.chars().count() < PROOF_CHARACTERS && rest.iter().collect::<String>().starts_with(&delivered);
            prop_assume!(manner != Manner::Prefill || delivered.is_empty() || !twice);
            let mut told = Vec::new();
            for size in pieces.iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let (piece, after) = rest.split_at((*size).min(rest.len()));
                told.push(piece.iter().collect::<String>());
                rest = after;
            }
            let told: Vec<&str> = told.iter().map(String::as_str).collect();
            let joined = feed(manner, &delivered, &told);
            // short words may repeat so that the place cannot be told: then nothing joins
            if let Some(joined) = joined {
                prop_assert_eq!(format!("{delivered}{joined}"), whole.iter().collect::<String>());
            } else {
                prop_assert!(manner == Manner::Repeat);
            }
        }

        /// An answer of other words never joins wrongly.
        #[test]
        fn what_joins_was_repeated(delivered in "[ab ]{0,60}", answer in "[ab ]{0,60}") {
            let Some(joined) = feed(Manner::Repeat, &delivered, &[&answer]) else { return Ok(()) };
            let repeated = answer.strip_suffix(&joined).expect("the end of the answer").trim_start();
            prop_assert!(delivered.ends_with(repeated));
            let whole = repeated == delivered.trim_start();
            prop_assert!(whole || repeated.chars().count() >= PROOF_CHARACTERS);
        }
    }
}
