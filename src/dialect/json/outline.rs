//! Where the arrays and objects of a text end, noted while it is checked, so that reading it afterwards steps over them.

use super::syntax::Visitor;

/// The arrays and objects of a text. To be filled by the check of the whole text.
#[derive(Debug, Default)]
pub struct Outline {
    /// In the order in which they begin.
    nested: Vec<Nested>,
    /// The innermost one that has not ended yet.
    open: Option<usize>,
}

/// An array or object.
#[derive(Clone, Copy, Debug)]
struct Nested {
    begin: usize,
    end: usize,
    /// The one that it lies in.
    outer: Option<usize>,
}

impl Outline {
    /// Where the array or object ends that begins at this offset of the text.
    #[must_use]
    pub(super) fn end_of(&self, begin: usize) -> Option<usize> {
        let found = self.nested.binary_search_by_key(&begin, |nested| nested.begin).ok()?;
        self.nested.get(found).map(|nested| nested.end)
    }
}

impl Visitor for Outline {
    #[inline]
    fn member(&mut self, _: usize, _: &[u8], _: &[u8]) {}

    #[inline]
    fn begun(&mut self, at: usize) {
        self.nested.push(Nested { begin: at, end: at, outer: self.open });
        self.open = Some(self.nested.len() - 1);
    }

    #[inline]
    fn ended(&mut self, at: usize) {
        if let Some(nested) = self.open.and_then(|open| self.nested.get_mut(open)) {
            nested.end = at;
            self.open = nested.outer;
        }
    }
}
