//! Merkle trees with SHA-256, as RFC 6962 section 2.1 defines them.

use crate::base::hash::Digest;

/// The hash of a leaf: a record's bytes behind a zero byte.
#[must_use]
pub fn leaf(record: &[u8]) -> Digest {
    hash(&[&[0], record])
}

/// The hash of two subtrees: a one byte, then both.
fn node(left: &Digest, right: &Digest) -> Digest {
    hash(&[&[1], &left.0, &right.0])
}

fn hash(parts: &[&[u8]]) -> Digest {
    let mut context = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256);
    parts.iter().for_each(|part| context.update(part));
    let mut bytes = [0; 32];
    bytes.copy_from_slice(context.finish().as_ref());
    Digest(bytes)
}

/// A tree that only grows, kept as the roots of its full subtrees: at most 64 of them, whatever its size.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tree {
    size: u64,
    peaks: Vec<Digest>,
}

impl Tree {
    /// The tree of `size` leaves with these full subtrees, the largest first; `None` where their number does not fit.
    #[must_use]
    pub fn of_peaks(size: u64, peaks: Vec<Digest>) -> Option<Self> {
        (peaks.len() == size.count_ones() as usize).then_some(Self { size, peaks })
    }

    /// Adds the hash of one leaf.
    pub fn push(&mut self, leaf: Digest) {
        let mut grown = leaf;
        // each trailing one of the size is a full subtree that this leaf completes to the next larger one
        for _ in 0..self.size.trailing_ones() {
            if let Some(left) = self.peaks.pop() {
                grown = node(&left, &grown);
            }
        }
        self.peaks.push(grown);
        self.size += 1;
    }

    /// The number of leaves.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The roots of the full subtrees, the largest first.
    #[must_use]
    pub fn peaks(&self) -> &[Digest] {
        &self.peaks
    }

    /// The root; of an empty tree the hash of nothing.
    #[must_use]
    pub fn root(&self) -> Digest {
        let smallest_first = self.peaks.iter().rev().copied();
        smallest_first.reduce(|right, left| node(&left, &right)).unwrap_or_else(|| hash(&[]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(hex: &str) -> Vec<u8> {
        (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
    }

    /// The leaves and roots of the reference tests of Certificate Transparency (`merkle_tree_test.cc`, Apache-2.0).
    #[test]
    fn roots_are_those_of_the_reference_tests() {
        let leaves =
            ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];
        let roots = [
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
            "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
            "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
            "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
            "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
        ];
        let mut tree = Tree::default();
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(tree.root().to_string(), empty);
        for (number, (leaf_hex, root)) in leaves.into_iter().zip(roots).enumerate() {
            tree.push(leaf(&bytes(leaf_hex)));
            assert_eq!((tree.size(), tree.root().to_string().as_str()), (number as u64 + 1, root));
        }
    }

    /// RFC 6962's own definition, by recursion.
    fn by_definition(leaves: &[Digest]) -> Digest {
        match leaves {
            [] => hash(&[]),
            [one] => *one,
            more => {
                let (left, right) = more.split_at(more.len().next_power_of_two() / 2);
                node(&by_definition(left), &by_definition(right))
            }
        }
    }

    #[test]
    fn every_size_has_the_root_of_the_definition_and_survives_its_peaks() {
        let leaves: Vec<Digest> = (0_u16..200).map(|number| leaf(&number.to_be_bytes())).collect();
        let mut tree = Tree::default();
        for (count, leaf) in leaves.iter().enumerate() {
            assert_eq!(tree.root(), by_definition(&leaves[..count]), "{count}");
            assert_eq!(Tree::of_peaks(tree.size(), tree.peaks().to_vec()), Some(tree.clone()));
            tree.push(*leaf);
        }
        assert_eq!(Tree::of_peaks(3, vec![leaves[0]]), None);
    }
}
