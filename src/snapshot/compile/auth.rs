//! What a credential is for: sent as it is, or read as a key that signs or is exchanged for tokens.
//!
//! A key of a cloud is one secret in the form in which the cloud's own tools write it, so that it is replaced as a whole.

use super::Compiler;
use crate::base::hash::Digest;
use crate::base::secret::Secret;
use crate::config::secrets::SecretSource;
use crate::config::tables::Auth;
use crate::config::{At, base_url};
use crate::dialect::Dialect;
use crate::dialect::profile::clouds::is_aws_region;
use crate::dialect::profile::{AuthHeader, Profile};
use crate::snapshot::deployment::Endpoint;
use crate::snapshot::proof::{AwsKey, Grant, Proof, TokenSource};
use aws_lc_rs::signature::RsaKeyPair;
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::Value;
use std::sync::Arc;

/// Google's token endpoint (<https://developers.google.com/identity/protocols/oauth2/service-account>).
const GOOGLE_TOKENS: &str = "https://oauth2.googleapis.com/token";
const GOOGLE_SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";
/// Entra's, by tenant (<https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow>).
const ENTRA_TOKENS: &str = "https://login.microsoftonline.com";
const ENTRA_SCOPE: &str = "https://cognitiveservices.azure.com/.default";

/// What is known of the endpoint that a credential is for.
pub(super) struct Use<'a> {
    pub(super) auth: Auth,
    pub(super) endpoint: &'a Endpoint,
    /// The AWS region that is signed for.
    pub(super) aws_region: Option<&'a str>,
    /// Where tokens come from, unless it is the cloud's own endpoint.
    pub(super) token_url: Option<&'a At<String>>,
}

/// What is wrong with a key, and what to try.
type Wrong = (String, &'static str);

/// Whether a vendor that speaks so takes this kind of proof.
fn fits(auth: Auth, profile: &Profile) -> bool {
    match auth {
        Auth::Bearer => true,
        Auth::Sigv4 => profile.dialect == Dialect::Bedrock,
        Auth::Google => profile.path.contains("{project}"),
        // Claude on Azure is spoken with as Anthropic is
        Auth::Entra => profile.auth == AuthHeader::ApiKey || profile.family == "anthropic",
    }
}

impl Compiler<'_> {
    /// Says where a vendor cannot be spoken with in the way that was asked for.
    pub(super) fn check_auth(&mut self, auth: &At<Auth>, profiles: &[Profile]) {
        if profiles.iter().all(|profile| fits(auth.value, profile)) {
            return;
        }
        let help = match auth.value {
            Auth::Bearer => "",
            Auth::Sigv4 => "AWS signs for dialect = \"bedrock\" alone",
            Auth::Google => "Google's tokens are for profile = \"vertex\"",
            Auth::Entra => {
                "Entra's tokens are for dialect = \"openai\" with profile = \"azure\", and for Claude on Azure"
            }
        };
        self.error(&auth.place, "this vendor is not authenticated with in this way", help);
    }

    /// A credential's secret and what becomes of it; `None` once what is wrong has been said.
    pub(super) fn proof(&mut self, source: &At<SecretSource>, used: &Use<'_>) -> Option<(Secret, Proof)> {
        // what only looks has a stand-in for a key, in which there is nothing to read
        if used.auth == Auth::Bearer || self.sources.dry {
            return self.token(source).map(|secret| (secret, Proof::Header));
        }
        let text = self.sources.secret(source)?.expose().trim().to_owned();
        let read = match used.auth {
            Auth::Bearer => return None,
            Auth::Sigv4 => aws_key(&text, used.aws_region).map(|key| Proof::Signature(Arc::new(key))),
            Auth::Google => {
                let url = used.token_url.map_or(GOOGLE_TOKENS, |url| url.as_str()).to_owned();
                google_grant(&text, &url).and_then(|grant| self.token_source(&text, url, grant, used))
            }
            Auth::Entra => entra_grant(&text).and_then(|(tenant, grant)| {
                let own = || format!("{ENTRA_TOKENS}/{tenant}/oauth2/v2.0/token");
                let url = used.token_url.map_or_else(own, |url| url.value.clone());
                self.token_source(&text, url, grant, used)
            }),
        };
        match read {
            Ok(proof) => Some((Secret::new(text), proof)),
            Err((message, help)) => {
                self.error(&source.place, message, help);
                None
            }
        }
    }

    fn token_source(&self, text: &str, url: String, grant: Grant, used: &Use<'_>) -> Result<Proof, Wrong> {
        let place = used.endpoint;
        let parsed = base_url::parse(&url, place.allow_private).map_err(|(message, _)| {
            (format!("the token URL {url}: {message}"), "give `token_url` as https://host/path")
        })?;
        let endpoint = Endpoint {
            name: Arc::clone(&place.name),
            vendor: Arc::clone(&place.vendor),
            tls: parsed.tls,
            host: parsed.host.as_str().into(),
            port: parsed.port,
            authority: parsed.authority.as_str().into(),
            path: parsed.path.as_str().into(),
            roots: place.roots.clone(),
            allow_private: place.allow_private,
            http2: false,
            loopback: parsed.loopback,
            region: Arc::clone(&place.region),
            reserved_for: None,
        };
        let key = Digest::of_parts([url.as_bytes(), text.as_bytes()]).to_string().into();
        Ok(Proof::Token(Arc::new(TokenSource { key, endpoint: Arc::new(endpoint), grant })))
    }
}

const AWS_HELP: &str =
    "give what `aws configure export-credentials` prints, a profile of ~/.aws/credentials, or ID:SECRET[:SESSION]";

/// An AWS key: JSON as credential processes print it, lines of a profile or of exported variables, or one line.
fn aws_key(text: &str, region: Option<&str>) -> Result<AwsKey, Wrong> {
    let region = region.filter(|region| is_aws_region(region)).ok_or_else(|| {
        let message = "a signature is for one AWS region, and none is known".to_owned();
        (message, "write region = \"eu-central-1\", or a base_url whose host names it")
    })?;
    let [id, secret, session] = aws_parts(text).ok_or_else(|| ("the AWS key cannot be read".to_owned(), AWS_HELP))?;
    let printable = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
    if !printable(&id) || !printable(&secret) || !(session.is_empty() || printable(&session)) {
        return Err(("the AWS key lacks its id or its secret, or holds blanks".to_owned(), AWS_HELP));
    }
    Ok(AwsKey {
        access_key_id: id,
        secret_access_key: Secret::new(secret),
        session_token: (!session.is_empty()).then(|| Secret::new(session)),
        region: region.into(),
    })
}

/// Id, secret and session; empty where there is none.
fn aws_parts(text: &str) -> Option<[String; 3]> {
    if text.starts_with('{') {
        let told: Value = serde_json::from_str(text).ok()?;
        let told = told.get("Credentials").unwrap_or(&told);
        return Some(["AccessKeyId", "SecretAccessKey", "SessionToken"].map(|name| string(told, name)));
    }
    if text.contains('=') && text.lines().any(|line| line.to_ascii_lowercase().contains("aws_access_key_id")) {
        let value = |wanted: &str| {
            let mut lines = text.lines().filter_map(|line| line.trim().trim_start_matches("export ").split_once('='));
            let found = lines.find(|(name, _)| name.trim().eq_ignore_ascii_case(wanted));
            found.map(|(_, value)| value.trim().trim_matches('"').to_owned()).unwrap_or_default()
        };
        return Some(["aws_access_key_id", "aws_secret_access_key", "aws_session_token"].map(value));
    }
    let mut parts = text.splitn(3, ':').map(str::to_owned);
    Some([parts.next()?, parts.next()?, parts.next().unwrap_or_default()])
}

const GOOGLE_HELP: &str =
    "give the JSON file of a service account's key, or ~/.config/gcloud/application_default_credentials.json";

fn google_grant(text: &str, audience: &str) -> Result<Grant, Wrong> {
    let wrong = |message: &str| (message.to_owned(), GOOGLE_HELP);
    let told: Value = serde_json::from_str(text).map_err(|_| wrong("the Google credential is no JSON"))?;
    let given = |name: &str| {
        let text = string(&told, name);
        if text.is_empty() { Err((format!("the Google credential lacks `{name}`"), GOOGLE_HELP)) } else { Ok(text) }
    };
    match string(&told, "type").as_str() {
        "service_account" => {
            let pem = given("private_key")?;
            let der = PrivatePkcs8KeyDer::from_pem_slice(pem.as_bytes())
                .map_err(|_| wrong("`private_key` is no PEM of a PKCS #8 key"))?;
            let key =
                RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()).map_err(|_| wrong("`private_key` is no RSA key"))?;
            Ok(Grant::Assertion {
                issuer: given("client_email")?,
                key_id: Some(string(&told, "private_key_id")).filter(|id| !id.is_empty()),
                key: Arc::new(key),
                audience: audience.to_owned(),
                scope: GOOGLE_SCOPE,
            })
        }
        "authorized_user" => Ok(Grant::RefreshToken {
            client_id: given("client_id")?,
            client_secret: Secret::new(given("client_secret")?),
            refresh_token: Secret::new(given("refresh_token")?),
        }),
        kind => Err((format!("a Google credential of type \"{}\" is not known", kind.escape_debug()), GOOGLE_HELP)),
    }
}

const ENTRA_HELP: &str = "give what `az ad sp create-for-rbac` prints: appId, password and tenant as JSON";

/// The tenant, and what is given there.
fn entra_grant(text: &str) -> Result<(String, Grant), Wrong> {
    let told: Value =
        serde_json::from_str(text).map_err(|_| ("the Entra credential is no JSON".to_owned(), ENTRA_HELP))?;
    // the older form of the same command spells them differently
    let either = |new: &str, old: &str| {
        let text = Some(string(&told, new)).filter(|text| !text.is_empty()).unwrap_or_else(|| string(&told, old));
        if text.is_empty() { Err((format!("the Entra credential lacks `{new}`"), ENTRA_HELP)) } else { Ok(text) }
    };
    let tenant = either("tenant", "tenantId")?;
    if !tenant.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte)) {
        return Err(("the tenant is neither an id nor a domain".to_owned(), ENTRA_HELP));
    }
    let grant = Grant::ClientCredentials {
        client_id: either("appId", "clientId")?,
        client_secret: Secret::new(either("password", "clientSecret")?),
        scope: ENTRA_SCOPE,
    };
    Ok((tenant, grant))
}

fn string(object: &Value, name: &str) -> String {
    object.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_aws_key_is_read_in_every_form_that_tools_write() {
        for (text, session) in [
            ("AKID:SECRET/+=", ""),
            ("ASIA:SECRET/+=:TOKEN", "TOKEN"),
            ("[default]\naws_access_key_id = AKID\naws_secret_access_key=SECRET/+=\n", ""),
            (
                "export AWS_ACCESS_KEY_ID=AKID\nexport AWS_SECRET_ACCESS_KEY=\"SECRET/+=\"\nexport AWS_SESSION_TOKEN=TOKEN",
                "TOKEN",
            ),
            (r#"{"Version":1,"AccessKeyId":"AKID","SecretAccessKey":"SECRET/+=","SessionToken":"TOKEN"}"#, "TOKEN"),
            (r#"{"Credentials":{"AccessKeyId":"AKID","SecretAccessKey":"SECRET/+="}}"#, ""),
        ] {
            let key = aws_key(text, Some("eu-central-1")).unwrap_or_else(|(message, _)| panic!("{text}: {message}"));
            assert_eq!(key.secret_access_key.expose(), "SECRET/+=", "{text}");
            assert_eq!(key.session_token.as_ref().map_or("", |token| token.expose()), session, "{text}");
        }
        for text in ["", "AKID", ":", "{}", "aws_access_key_id = AKID", "AKID:SE CRET"] {
            assert!(aws_key(text, Some("eu-central-1")).is_err(), "{text}");
        }
        assert!(aws_key("AKID:SECRET", Some("eu")).is_err(), "a zone is no region");
    }

    #[test]
    fn what_a_cloud_credential_lacks_is_named() {
        let message = |found: Result<Grant, Wrong>| found.err().map(|(message, _)| message).unwrap_or_default();
        assert!(message(google_grant("sk-1", "a")).contains("no JSON"));
        assert!(message(google_grant(r#"{"type":"authorized_user","client_id":"c"}"#, "a")).contains("client_secret"));
        assert!(message(google_grant(r#"{"type":"external_account"}"#, "a")).contains("external_account"));
        assert!(message(google_grant(r#"{"type":"service_account","private_key":"x"}"#, "a")).contains("private_key"));
        let entra = |text| message(entra_grant(text).map(|(_, grant)| grant));
        assert!(entra(r#"{"appId":"a","password":"p"}"#).contains("tenant"));
        assert!(entra(r#"{"appId":"a","password":"p","tenant":"t/../x"}"#).contains("tenant"));
        assert_eq!(entra(r#"{"clientId":"a","clientSecret":"p","tenantId":"t"}"#), "");
    }
}
