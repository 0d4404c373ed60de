//! The blame tree: vendor, host, model there, deployment. Where most of what stands below a node is open, the node is.
//!
//! A node that opened so owns the only trial of all below it: a vendor that is out is asked by one call at a time, however
//! many deployments it has. One bad child never opens its parent.

use super::node::Node;
use crate::base::clock::Moment;
use std::sync::Arc;
use std::time::Duration;

/// Children that were asked in this time count.
const ACTIVE: Duration = Duration::from_secs(30);
/// A parent opens when so many children are open ...
const LEAST_OPEN: usize = 2;
/// ... and they are at least this share of the active ones, in per cent.
const SHARE_PERCENT: usize = 50;

/// A child, as its parent sees it.
#[derive(Clone, Copy, Debug)]
struct Child {
    open: bool,
    active: bool,
}

/// Whether so many of a node's children are open that the node itself must be.
pub(super) fn most_are_open(node: &Node, now: Moment) -> bool {
    let since = node.lock().breaker.closed_since();
    let children = node.children();
    verdict(
        children
            .iter()
            .map(|child| Child { open: stands_open(child, since), active: child.active.within(ACTIVE, now) }),
    )
}

fn verdict(children: impl Iterator<Item = Child>) -> bool {
    let (mut open, mut active) = (0, 0);
    for child in children {
        open += usize::from(child.open);
        active += usize::from(child.open || child.active);
    }
    open >= LEAST_OPEN && open * 100 >= active * SHARE_PERCENT
}

/// Whether a node is open, for what happened after its parent closed last. One with a single child stands as that does.
fn stands_open(node: &Arc<Node>, since: Option<Moment>) -> bool {
    let failed_at = node.lock().breaker.failed_at();
    if failed_at.is_some_and(|failed| since.is_none_or(|since| failed > since)) {
        return true;
    }
    match node.children().as_slice() {
        [only] => stands_open(only, since),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parent_opens_with_two_open_children_that_are_half_of_the_active_ones() {
        let check = |children: &str, expected: bool| {
            let children = children.chars().map(|c| Child { open: c == 'o', active: c == 'a' });
            assert_eq!(verdict(children), expected);
        };
        check("", false);
        check("o", false);
        check("oa", false);
        check("oo", true);
        check("ooaa", true);
        check("ooaaa", false);
        check("ooiiiii", true);
        check("oiii", false);
    }
}
