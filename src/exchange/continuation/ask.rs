//! The call that asks another model for the rest of an answer.

use crate::call::Call;
use crate::call::turn::{Content, Part, Role, Turn};
use crate::exchange::continuation::decide::Manner;
use crate::exchange::continuation::seam;

/// What a model is told that is to repeat the last words; they follow between two lines of this mark.
const TOLD: &str = "Your last message broke off before its end, and I have received it only up to there. Send me the rest. \
     Begin by repeating its last words to the letter, exactly as they stand between the two lines below, with nothing before them, \
     and carry on from there as if nothing had happened: no greeting, no remark, no second beginning.";
const MARK: &str = "-----";
/// Vendors refuse a smaller cap on the answer (recording `1fdba142a3b8ad60`).
const LEAST_TOKENS: u64 = 16;
/// Characters of a token in most texts.
const TOKEN_CHARACTERS: u64 = 4;

/// The call for what follows `delivered`.
pub(crate) fn ask(call: &Call, manner: Manner, delivered: &str) -> Call {
    let mut asked = call.clone();
    let tail = seam::tail(delivered).and_then(|start| delivered.get(start..)).unwrap_or_default();
    match manner {
        Manner::Fresh => return asked,
        Manner::Prefill => {
            // a beginning that ends with blanks is refused
            answered(&mut asked, delivered.trim_end());
            asked.prefill = true;
        }
        Manner::Prefix => {
            answered(&mut asked, delivered);
            asked.prefill = true;
        }
        Manner::Repeat => {
            answered(&mut asked, delivered);
            asked.prefill = false;
            let told = format!("{TOLD}\n{MARK}\n{tail}\n{MARK}");
            asked.turns.push(Turn::new(Role::User, vec![Part::from(Content::text(told))]));
        }
    }
    let repeated = if manner == Manner::Repeat { tokens(tail) + LEAST_TOKENS } else { 0 };
    let left = |most: u64| most.saturating_sub(tokens(delivered)).saturating_add(repeated).max(LEAST_TOKENS).min(most);
    asked.max_tokens = asked.max_tokens.map(left);
    asked
}

/// Lets the model have said `text`, behind the beginning that the client gave it where there is one.
fn answered(call: &mut Call, text: &str) {
    match call.turns.last_mut().filter(|_| call.prefill) {
        Some(begun) => begun.parts.push(Part::from(Content::text(text))),
        None => call.turns.push(Turn::new(Role::Assistant, vec![Part::from(Content::text(text))])),
    }
}

fn tokens(text: &str) -> u64 {
    text.chars().count() as u64 / TOKEN_CHARACTERS
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAID: &str = "The old harbour lies behind two low hills ";

    fn call(max_tokens: Option<u64>) -> Call {
        let turns = vec![Turn::new(Role::User, vec![Part::from(Content::text("Tell me of the harbour"))])];
        Call { turns, max_tokens, ..Call::default() }
    }

    fn texts(call: &Call) -> Vec<(Role, String)> {
        let text = |part: &Part| match &part.content {
            Content::Text { text, .. } => text.clone(),
            other => panic!("{other:?}"),
        };
        call.turns.iter().map(|turn| (turn.role, turn.parts.iter().map(text).collect())).collect()
    }

    #[test]
    fn a_prefill_is_the_answer_so_far_without_its_last_blanks() {
        let asked = ask(&call(Some(100)), Manner::Prefill, SAID);
        assert!(asked.prefill);
        assert_eq!(texts(&asked)[1], (Role::Assistant, SAID.trim_end().to_owned()));
        assert_eq!(asked.max_tokens, Some(90));
    }

    #[test]
    fn a_client_s_own_beginning_is_carried_on_too() {
        let mut begun = call(None);
        begun.turns.push(Turn::new(Role::Assistant, vec![Part::from(Content::text("Once, "))]));
        begun.prefill = true;
        let asked = ask(&begun, Manner::Repeat, SAID);
        assert!(!asked.prefill);
        assert_eq!(texts(&asked)[1], (Role::Assistant, format!("Once, {SAID}")));
        assert_eq!(texts(&asked).len(), 3);
    }

    #[test]
    fn a_repeat_is_asked_for_in_words_that_hold_the_words_to_repeat() {
        let asked = ask(&call(Some(100)), Manner::Repeat, SAID);
        let texts = texts(&asked);
        assert_eq!(texts[1], (Role::Assistant, SAID.to_owned()));
        assert_eq!(texts[2].0, Role::User);
        assert!(texts[2].1.ends_with(&format!("\n{MARK}\n{SAID}\n{MARK}")), "{}", texts[2].1);
        assert_eq!(asked.max_tokens, Some(100));
    }

    #[test]
    fn a_fresh_answer_is_asked_for_as_the_client_asked() {
        let call = call(Some(5));
        assert_eq!(ask(&call, Manner::Fresh, SAID), call);
        assert_eq!(ask(&call, Manner::Prefill, SAID).max_tokens, Some(5));
    }
}
