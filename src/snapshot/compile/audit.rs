//! The settings of what people are shown later: alerts and the decision log.

use super::Compiler;
use crate::audit::Signer;
use crate::base::secret::Secret;
use crate::config::tables::WhenUnwritable;
use crate::config::{At, defaults};
use crate::snapshot::audit::Audit;
use url::Url;

/// Fewest bytes of a key that others must not guess.
const HASH_KEY_BYTES: usize = 16;

impl Compiler<'_> {
    /// The address that alerts are posted to. It is a secret, because webhooks carry their token in it.
    pub(super) fn webhook(&mut self) -> Option<Secret> {
        let source = self.sources.config.alerts.as_ref()?.webhook.clone()?;
        let address = self.token(&source)?;
        let url = Url::parse(address.expose()).ok();
        let local = |url: &Url| match url.host() {
            Some(url::Host::Ipv4(address)) => address.is_loopback(),
            Some(url::Host::Ipv6(address)) => address.is_loopback(),
            Some(url::Host::Domain(_)) | None => false,
        };
        if !url.is_some_and(|url| url.scheme() == "https" || (url.scheme() == "http" && local(&url))) {
            let help = "write https://..., or http:// and a literal loopback address";
            self.error(&source.place, "the webhook's address is none that alerts can be posted to", help);
            return None;
        }
        Some(address)
    }

    /// `None` where no log is kept.
    pub(super) fn audit(&mut self) -> Option<Audit> {
        let table = self.sources.config.audit.as_ref().map(|audit| audit.value.clone());
        let Some(table) = table else {
            return Some(Audit {
                origin: None,
                refuse_when_unwritable: false,
                rotate_bytes: defaults::AUDIT_ROTATE_BYTES,
                signing_key: None,
                hash_key: None,
            });
        };
        if let Some(origin) = table.origin.as_ref().filter(|origin| !is_origin(origin)) {
            let help = "a name without blanks and plus signs, such as \"proxy.corp.example/decisions\"";
            self.error(&origin.place, "the decision log cannot be called that", help);
        }
        let rotate_bytes = table.rotate_at.as_ref().map_or(defaults::AUDIT_ROTATE_BYTES, |size| size.value.0);
        if let Some(size) = table.rotate_at.as_ref().filter(|size| size.value.0 < defaults::AUDIT_ROTATE_LEAST) {
            self.error(&size.place, "files of the decision log would be too small", "64KiB is the least");
        }
        let signing_key = table.signing_key.as_ref().and_then(|source| self.token(source));
        if let (Some(source), Some(key)) = (&table.signing_key, &signing_key)
            && let Err(error) = Signer::parse(key.expose())
        {
            let help = "backstay audit key NAME prints a pair; PRIVATE+KEY+... is the one that signs";
            self.error(&source.place, format!("the signing key: {error}"), help);
        }
        let hash_key = table.hash_key.as_ref().and_then(|source| self.token(source));
        if let (Some(source), Some(key)) = (&table.hash_key, &hash_key)
            && key.expose().len() < HASH_KEY_BYTES
        {
            let help = "openssl rand -hex 32 prints a good one";
            self.error(&source.place, "the hash key has fewer than 16 characters", help);
        }
        let refuse_when_unwritable = match table.when_unwritable {
            Some(WhenUnwritable::Refuse) => true,
            Some(WhenUnwritable::CarryOn) | None => false,
        };
        let origin = table.origin.map(|origin: At<String>| origin.value);
        let audit = Audit { origin, refuse_when_unwritable, rotate_bytes, signing_key, hash_key };
        table.enabled.unwrap_or(true).then_some(audit)
    }
}

fn is_origin(text: &str) -> bool {
    let plain = |c: char| !c.is_whitespace() && !c.is_control() && c != '+';
    !text.is_empty() && text.len() <= 128 && text.chars().all(plain)
}
