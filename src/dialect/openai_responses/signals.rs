//! The codes of the Responses API beyond those of OpenAI's chat, which its vendors share.

use crate::base::failure::FailureKind;
use crate::dialect::signals::Rule;

/// Asked before OpenAI's chat table and the words that all vendors share. `ResponseErrorCode` of OpenAI's API
/// description; a mid-stream `response.failed` has no status, only these.
pub(in crate::dialect) const RULES: &[Rule] = &[
    Rule::code(&["vector_store_timeout"], FailureKind::ServerError, "timeout"),
    // sealed by another vendor or another account: one that made it can still read it
    Rule::code(&["invalid_encrypted_content"], FailureKind::Unsupported, "foreign_seal"),
    Rule::code(&["data_residency_mismatch"], FailureKind::RegionDenied, "region"),
    Rule::code(&["invalid_prompt"], FailureKind::ContentFilter, "invalid_prompt"),
    Rule::code(
        &[
            "invalid_image",
            "invalid_image_format",
            "invalid_base64_image",
            "invalid_image_url",
            "image_too_large",
            "image_too_small",
            "image_parse_error",
            "image_content_policy_violation",
            "invalid_image_mode",
            "image_file_too_large",
            "unsupported_image_media_type",
            "empty_image_file",
            "failed_to_download_image",
            "image_file_not_found",
        ],
        FailureKind::BadRequest,
        "image",
    ),
];
