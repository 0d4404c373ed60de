//! How a credential proves to a vendor who we are.

use crate::base::secret::Secret;
use crate::snapshot::deployment::Endpoint;
use aws_lc_rs::signature::RsaKeyPair;
use std::sync::Arc;

/// What a credential becomes when a request is sent.
#[derive(Clone, Debug)]
pub enum Proof {
    /// It goes as it is into the header that the profile names.
    Header,
    /// Each request is signed with it (AWS, `sigv4`).
    Signature(Arc<AwsKey>),
    /// It is exchanged for a token that lives for a while (Google, Entra).
    Token(Arc<TokenSource>),
}

/// An AWS access key.
#[derive(Debug)]
pub struct AwsKey {
    /// Which key it is; no secret.
    pub access_key_id: String,
    /// The key itself.
    pub secret_access_key: Secret,
    /// The session of temporary credentials.
    pub session_token: Option<Secret>,
    /// The AWS region whose host is asked, such as `eu-central-1`.
    pub region: Arc<str>,
}

/// Where tokens come from, and for what.
#[derive(Debug)]
pub struct TokenSource {
    /// What its token is kept under: a digest of where, who and for what. A reload with the same credential keeps it.
    pub key: Arc<str>,
    /// Where it is asked for; the endpoint's path is the whole path.
    pub endpoint: Arc<Endpoint>,
    /// What is given for it.
    pub grant: Grant,
}

/// What is given for a token (RFC 6749).
#[derive(Debug)]
pub enum Grant {
    /// An assertion that a service account signs (RFC 7523).
    Assertion {
        /// Whose it is.
        issuer: String,
        /// Which of its keys signs.
        key_id: Option<String>,
        /// That key.
        key: Arc<RsaKeyPair>,
        /// For whom it is meant: the token endpoint, in Google's words.
        audience: String,
        /// What may be done with the token.
        scope: &'static str,
    },
    /// A refresh token, as a person's login leaves it.
    RefreshToken {
        /// The program that the person trusted.
        client_id: String,
        /// Its secret.
        client_secret: Secret,
        /// The refresh token.
        refresh_token: Secret,
    },
    /// A program's own name and secret.
    ClientCredentials {
        /// Its name.
        client_id: String,
        /// Its secret.
        client_secret: Secret,
        /// What may be done with the token.
        scope: &'static str,
    },
}
