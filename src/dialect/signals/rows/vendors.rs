//! What single vendors mean: codes that are bare numbers, and words that would mislead elsewhere.

use super::{bedrock, google};
use crate::base::failure::FailureKind::{
    AccountDenied, AuthKey, BadRequest, ContentFilter, ContextLength, ModelDenied, ModelGone, Overloaded, Quota,
    RateLimited, ServerError,
};
use crate::dialect::anthropic;
use crate::dialect::signals::rule::{Group, Rule};
use crate::dialect::signals::words::Shape;

pub(super) const GROUPS: &[Group] = &[
    Group { vendor: "Anthropic", profiles: &["anthropic"], shapes: &[Shape::Typed], rows: anthropic::signals::RULES },
    Group { vendor: "Google", profiles: &["gemini", "vertex"], shapes: &[Shape::Status], rows: google::RULES },
    Group { vendor: "AWS Bedrock", profiles: &["bedrock"], shapes: &[Shape::Exception], rows: bedrock::RULES },
    Group { vendor: "Mistral", profiles: &["mistral"], shapes: &[Shape::Object], rows: MISTRAL },
    Group { vendor: "z.ai", profiles: &["zai"], shapes: &[Shape::Numbered], rows: ZAI },
    Group { vendor: "MiniMax", profiles: &["minimax"], shapes: &[Shape::BaseResp], rows: MINIMAX },
];

/// <https://docs.mistral.ai/resources/error-glossary>
const MISTRAL: &[Rule] = &[
    Rule::code(&["3051"], ContextLength, "context_length"),
    Rule::code(&["1300"], RateLimited, "rate_limited"),
    Rule::code(&["3505", "service_tier_capacity_exceeded"], Overloaded, "overloaded"),
    Rule::code(&["1500", "invalid_model"], ModelGone, "unknown_model"),
    Rule::code(&["1000"], ServerError, "server_error").at(&[0, 500, 502, 503]),
];

/// <https://docs.z.ai/api-reference/api-code>
const ZAI: &[Rule] = &[
    Rule::code(&["1000", "1001", "1002", "1003", "1004"], AuthKey, "key"),
    Rule::code(&["1110", "1111", "1112", "1120", "1121"], AccountDenied, "suspended"),
    Rule::code(&["1113", "1309", "1310"], Quota, "money"),
    Rule::code(&["1304", "1308"], Quota, "daily_quota"),
    Rule::code(&["1210", "1212", "1213", "1214", "1215"], BadRequest, "bad_request"),
    Rule::code(&["1211", "1221", "1222"], ModelGone, "unknown_model"),
    Rule::code(&["1220"], ModelDenied, "no_access"),
    Rule::code(&["1261"], ContextLength, "context_length"),
    Rule::code(&["1301"], ContentFilter, "content_filter"),
    Rule::code(&["1302", "1303"], RateLimited, "rate_limited"),
    // recording 35c0368e8b74c8e4
    Rule::code(&["1305", "1312"], Overloaded, "overloaded"),
    Rule::code(&["1230", "1231", "1234", "500"], ServerError, "server_error"),
];

/// <https://platform.minimax.io/docs/api-reference/errorcode>
const MINIMAX: &[Rule] = &[
    Rule::code(&["1002", "1039", "1041", "2045"], RateLimited, "rate_limited"),
    Rule::code(&["1004", "2049"], AuthKey, "key"),
    Rule::code(&["1008", "2056"], Quota, "money"),
    Rule::code(&["1026", "1027"], ContentFilter, "content_filter"),
    Rule::code(&["1000", "1001", "1013", "1024", "1033"], ServerError, "server_error"),
    Rule::code(&["1042", "2013"], BadRequest, "bad_request"),
];
