//! Signed notes: text, an empty line, and lines of signatures.
//!
//! The form is that of <https://c2sp.org/signed-note>, with Ed25519, and the keys are written as Go's `sumdb/note` writes
//! them, so that other people's tools check what Backstay signs.

use crate::base::hash::{Digest, hex};
use crate::base::secret::Secret;
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use std::fmt;

/// The algorithm's number in keys: Ed25519.
const ED25519_ALGORITHM: u8 = 1;
/// What begins the text of a key that signs.
const PRIVATE: &str = "PRIVATE+KEY+";

/// Why a key is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// It is not written as keys are.
    #[error("it is not a key: NAME+HASH+KEY was expected, as in `backstay.example+1a2b3c4d+AQ...`")]
    Form,
    /// The name holds blanks or a plus sign, or is empty.
    #[error("the key's name is empty or holds blanks or a plus sign")]
    Name,
    /// The hash is not that of name and key.
    #[error("the key's hash does not fit its name and key: a character was changed")]
    Hash,
    /// It is not an Ed25519 key.
    #[error("the key is not an Ed25519 key")]
    Algorithm,
}

/// Why a note does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// It has no empty line with signatures behind it.
    #[error("it has no signatures")]
    Form,
    /// Nobody signed with this key.
    #[error("it is not signed by this key")]
    OtherKey,
    /// The signature is not of this text.
    #[error("its signature does not fit its text")]
    Signature,
}

/// Whoever signs.
pub struct Signer {
    name: String,
    pair: Ed25519KeyPair,
    seed: [u8; 32],
}

/// Whom a signature is checked against.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verifier {
    name: String,
    public: [u8; 32],
}

impl Signer {
    /// The signer of this name and these 32 random bytes.
    ///
    /// # Errors
    /// The name is none.
    pub fn new(name: &str, seed: [u8; 32]) -> Result<Self, KeyError> {
        if !is_name(name) {
            return Err(KeyError::Name);
        }
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).map_err(|_| KeyError::Algorithm)?;
        Ok(Self { name: name.to_owned(), pair, seed })
    }

    /// Reads `PRIVATE+KEY+name+hash+key`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let (name, hash, seed) = parts(text.trim().strip_prefix(PRIVATE).ok_or(KeyError::Form)?)?;
        let signer = Self::new(name, seed)?;
        if signer.verifier().hash_text() == hash { Ok(signer) } else { Err(KeyError::Hash) }
    }

    /// The key as [`Signer::parse`] reads it.
    #[must_use]
    pub fn to_secret(&self) -> Secret {
        let key = encoded_key(&self.seed);
        Secret::new(format!("{PRIVATE}{}+{}+{key}", self.name, self.verifier().hash_text()))
    }

    /// The key that checks what this one signs.
    #[must_use]
    pub fn verifier(&self) -> Verifier {
        let mut public = [0; 32];
        public.copy_from_slice(self.pair.public_key().as_ref());
        Verifier { name: self.name.clone(), public }
    }

    /// The note of this text, which ends with a line feed.
    #[must_use]
    pub fn sign(&self, text: &str) -> String {
        let mut signature = self.verifier().hash().to_vec();
        signature.extend_from_slice(self.pair.sign(text.as_bytes()).as_ref());
        format!("{text}\n\u{2014} {} {}\n", self.name, BASE64.encode(signature))
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Verifier {
    /// Reads `name+hash+key`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let (name, hash, public) = parts(text.trim())?;
        let verifier = Self { name: name.to_owned(), public };
        if verifier.hash_text() == hash { Ok(verifier) } else { Err(KeyError::Hash) }
    }

    /// The key's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The text of a note that this key signed.
    ///
    /// # Errors
    /// Why the note does not hold. Signatures of other keys are passed over.
    pub fn open<'n>(&self, note: &'n str) -> Result<&'n str, NoteError> {
        let at = note.rfind("\n\n").ok_or(NoteError::Form)?;
        let (text, signatures) = (note.get(..=at), note.get(at + 2..));
        let (Some(text), Some(signatures)) = (text, signatures) else { return Err(NoteError::Form) };
        let mut fault = NoteError::OtherKey;
        for line in signatures.lines() {
            let Some((name, encoded)) = line.strip_prefix("\u{2014} ").and_then(|line| line.split_once(' ')) else {
                return Err(NoteError::Form);
            };
            let Ok(signature) = BASE64.decode(encoded) else { return Err(NoteError::Form) };
            let Some((hash, signature)) = signature.split_at_checked(4) else { return Err(NoteError::Form) };
            if name != self.name || hash != self.hash() {
                continue;
            }
            if UnparsedPublicKey::new(&ED25519, &self.public).verify(text.as_bytes(), signature).is_ok() {
                return Ok(text);
            }
            fault = NoteError::Signature;
        }
        Err(fault)
    }

    fn hash(&self) -> [u8; 4] {
        let mut hashed = self.name.as_bytes().to_vec();
        hashed.extend_from_slice(&[b'\n', ED25519_ALGORITHM]);
        hashed.extend_from_slice(&self.public);
        let Digest([first, second, third, fourth, ..]) = Digest::plain(&hashed);
        [first, second, third, fourth]
    }

    fn hash_text(&self) -> String {
        hex(&self.hash())
    }
}

impl fmt::Display for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}+{}+{}", self.name, self.hash_text(), encoded_key(&self.public))
    }
}

/// Whether keys can have this name.
fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.contains('+') && !name.chars().any(|c| c.is_whitespace() || c.is_control())
}

/// Name, hash and key.
fn parts(text: &str) -> Result<(&str, &str, [u8; 32]), KeyError> {
    let mut parts = text.splitn(3, '+');
    let (Some(name), Some(hash), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(KeyError::Form);
    };
    if !is_name(name) {
        return Err(KeyError::Name);
    }
    let key = BASE64.decode(key).map_err(|_| KeyError::Form)?;
    match key.split_first() {
        Some((&ED25519_ALGORITHM, key)) => Ok((name, hash, key.try_into().map_err(|_| KeyError::Algorithm)?)),
        Some(_) | None => Err(KeyError::Algorithm),
    }
}

fn encoded_key(key: &[u8; 32]) -> String {
    let mut bytes = vec![ED25519_ALGORITHM];
    bytes.extend_from_slice(key);
    BASE64.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A key pair and a note of the documentation of Go's `golang.org/x/mod/sumdb/note` (BSD-3-Clause).
    const SIGNS: &str = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
    const CHECKS: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    const NOTE: &str = "If you think cryptography is the answer to your problem,\n\
                        then you don't know what your problem is.\n\n\
                        \u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

    #[test]
    fn notes_of_others_are_checked_and_ours_are_the_same() {
        let (signer, verifier) = (Signer::parse(SIGNS).unwrap(), Verifier::parse(CHECKS).unwrap());
        assert_eq!((signer.verifier(), signer.verifier().to_string().as_str()), (verifier.clone(), CHECKS));
        let text = verifier.open(NOTE).unwrap();
        assert_eq!(signer.sign(text), NOTE);
        assert_eq!(Signer::parse(signer.to_secret().expose()).unwrap().verifier(), verifier);
    }

    #[test]
    fn what_was_changed_does_not_hold() {
        let verifier = Verifier::parse(CHECKS).unwrap();
        let other = Signer::new("somebody.else", [7; 32]).unwrap();
        let check = |note: &str, fault| assert_eq!(verifier.open(note), Err(fault), "{note}");
        check(&NOTE.replace("answer", "question"), NoteError::Signature);
        check(&other.sign("text\n"), NoteError::OtherKey);
        check("text\n", NoteError::Form);
        check("text\n\nno signature\n", NoteError::Form);
        check("text\n\n\u{2014} PeterNeumann !!!\n", NoteError::Form);
    }

    #[test]
    fn a_key_that_was_changed_is_none() {
        let check = |text: &str, error| assert_eq!(Verifier::parse(text), Err(error), "{text}");
        check("", KeyError::Form);
        check("name", KeyError::Form);
        check("na me+00000000+AQ==", KeyError::Name);
        check("name+00000000+AQ==", KeyError::Algorithm);
        check(&CHECKS.replace("PeterNeumann", "MaryMiller"), KeyError::Hash);
        assert!(matches!(Signer::parse(CHECKS), Err(KeyError::Form)));
        assert!(matches!(Signer::new("two words", [0; 32]), Err(KeyError::Name)));
    }
}
