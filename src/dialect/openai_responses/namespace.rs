//! Tools within a namespace, which only this dialect has: elsewhere they are tools whose names begin with it.
//!
//! Codex offers its further agents so. A name put together here is taken apart again in the model's calls, wherever they
//! come from, so that the client finds its own names.

/// Between a namespace and a name. Every dialect allows it in names, and nobody names a tool so.
const SEPARATOR: &str = "---";

/// The longest name of a tool that vendors take, in characters.
const NAME_CHARACTERS_MAX: usize = 64;

/// A tool's name within its namespace, as other dialects are told it; `None` where it would be too long or could not be
/// told apart.
pub(super) fn join(namespace: &str, name: &str) -> Option<String> {
    let joined = [namespace, SEPARATOR, name].concat();
    let fits = joined.chars().count() <= NAME_CHARACTERS_MAX && split(&joined) == (Some(namespace), name);
    (fits && !name.contains(SEPARATOR)).then_some(joined)
}

/// The namespace and the name that [`join`] put together, or the name alone.
pub(super) fn split(joined: &str) -> (Option<&str>, &str) {
    match joined.split_once(SEPARATOR) {
        Some((namespace, name)) => (Some(namespace), name),
        None => (None, joined),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_apart_as_they_were_put_together() {
        assert_eq!(join("multi_agent_v1", "wait_agent").as_deref(), Some("multi_agent_v1---wait_agent"));
        assert_eq!(split("multi_agent_v1---wait_agent"), (Some("multi_agent_v1"), "wait_agent"));
        assert_eq!(split("wait_agent"), (None, "wait_agent"));
        for (namespace, name) in
            [("a---b", "c"), ("a", "b---c"), ("a-", "b"), ("", "-b"), (&*"n".repeat(40), &*"m".repeat(40))]
        {
            let joined = join(namespace, name);
            assert!(joined.is_none_or(|joined| split(&joined) == (Some(namespace), name)), "{namespace} {name}");
        }
    }
}
