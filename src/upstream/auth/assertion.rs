//! The assertion with which a service account asks for a token: a JSON Web Token signed with RS256 (RFC 7515, RFC 7523).

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

/// How long an assertion is good: the longest that Google takes.
const LIFETIME_S: u64 = 3600;

/// Who asks, with what, for what.
pub(super) struct Claims<'a> {
    pub(super) issuer: &'a str,
    pub(super) key_id: Option<&'a str>,
    pub(super) audience: &'a str,
    pub(super) scope: &'a str,
}

/// The assertion of these claims at `now_s`, in seconds since 1970. `None` where the key cannot sign.
pub(super) fn sign(claims: &Claims<'_>, key: &RsaKeyPair, now_s: u64) -> Option<String> {
    let mut header = json!({ "alg": "RS256", "typ": "JWT" });
    if let Some(key_id) = claims.key_id {
        header["kid"] = key_id.into();
    }
    let payload = json!({
        "iss": claims.issuer,
        "scope": claims.scope,
        "aud": claims.audience,
        "iat": now_s,
        "exp": now_s + LIFETIME_S,
    });
    let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let signed = format!("{}.{}", encode(header.to_string().as_bytes()), encode(payload.to_string().as_bytes()));
    let mut signature = vec![0; key.public_modulus_len()];
    key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature).ok()?;
    Some(format!("{signed}.{}", encode(&signature)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_lc_rs::rsa::KeySize;
    use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
    use serde_json::Value;

    #[test]
    fn an_assertion_says_who_asks_for_what_and_is_signed() {
        let key = RsaKeyPair::generate(KeySize::Rsa2048).expect("a key");
        let claims = Claims {
            issuer: "robot@project.iam.gserviceaccount.com",
            key_id: Some("k1"),
            audience: "https://oauth2.googleapis.com/token",
            scope: "https://www.googleapis.com/auth/cloud-platform",
        };
        let assertion = sign(&claims, &key, 1_795_323_600).expect("signed");
        let [header, payload, signature] = assertion.split('.').collect::<Vec<_>>()[..] else { panic!("{assertion}") };
        let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).expect("base64");
        let tree = |part: &str| serde_json::from_slice::<Value>(&decode(part)).expect("JSON");
        assert_eq!(tree(header), json!({"alg": "RS256", "typ": "JWT", "kid": "k1"}));
        let expected = json!({"iss": claims.issuer, "scope": claims.scope, "aud": claims.audience,
            "iat": 1_795_323_600, "exp": 1_795_327_200});
        assert_eq!(tree(payload), expected);
        let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key.public_key().as_ref());
        let signed = format!("{header}.{payload}");
        assert!(public.verify(signed.as_bytes(), &decode(signature)).is_ok());
    }
}
