//! What vendors say in ever new words: one word of each of two lists, so that the next wording is understood too. Asked before
//! the sentences that are known to the letter, as those tell less of what nobody has written yet.

use crate::base::failure::FailureKind::{
    ContentFilter, ContextLength, ModelGone, Overloaded, Quota, RegionDenied, Unsupported,
};
use crate::dialect::signals::rule::Rule;

pub(super) const RULES: &[Rule] = &[
    // a member is out of use, and not the model
    Rule::says(
        &["deprecated for this model", "deprecated for the model", "deprecated in favor of"],
        Unsupported,
        "parameter",
    )
    .at(&[0, 400, 422]),
    // not from here
    Rule::says(
        &[
            "your country",
            "your region",
            "your location",
            "your area",
            "your territory",
            "your jurisdiction",
            "this country",
            "user location",
            "unsupported country",
            "geographic location",
        ],
        RegionDenied,
        "region",
    )
    .and(&[
        "not available",
        "unavailable",
        "not supported",
        "unsupported",
        "not permitted",
        "not allowed",
        "not accessible",
        "not offered",
        "cannot be accessed",
        "restricted",
        "prohibited",
        "blocked",
    ])
    .at(&[0, 400, 401, 403, 404, 451]),
    // money
    Rule::says(
        &[
            "out of credit",
            "not enough credit",
            "insufficient credit",
            "no credits left",
            "credits have run out",
            "credits exhausted",
            "credits are exhausted",
            "credits have been exhausted",
            "exhausted your credit",
            "exhausted your monthly",
            "balance is insufficient",
            "balance is not enough",
            "balance too low",
            "balance is too low",
            "insufficient account balance",
            "top up your",
            "recharge your account",
            "billing hard limit",
            "billing limit",
            "spending cap",
            "spend limit",
            "spending limit",
            "exceeded your monthly",
            "invoice is overdue",
            "unpaid invoice",
            "payment is past due",
            "payment required",
            // Chinese: the balance does not suffice; payment is owed
            "\u{4f59}\u{989d}\u{4e0d}\u{8db3}",
            "\u{6b20}\u{8d39}",
        ],
        Quota,
        "money",
    )
    .at(&[0, 200, 400, 402, 403, 429]),
    // too long
    Rule::says(
        &[
            "context length",
            "context size",
            "context limit",
            "context window",
            "token limit",
            "prompt length",
            "input length",
            "sequence length",
            "max_model_len",
            "max_seq_len",
            "maximum prompt",
            "maximum input",
        ],
        ContextLength,
        "context_length",
    )
    .and(&[
        "exceed",
        "longer than",
        "greater than",
        "larger than",
        "too long",
        "too large",
        "too many",
        "over the",
        "overflow",
    ])
    .at(&[0, 200, 400, 413, 422]),
    // Chinese: too long
    Rule::says(
        &["\u{8d85}\u{957f}", "\u{8d85}\u{8fc7}\u{6700}\u{5927}\u{957f}\u{5ea6}"],
        ContextLength,
        "context_length",
    )
    .at(&[0, 200, 400, 413, 422]),
    // content
    Rule::says(
        &[
            "safety filter",
            "safety system",
            "safety polic",
            "safety guideline",
            "safety reason",
            "safety check",
            "moderation",
            "content filter",
            "harmful",
            "usage polic",
            "content polic",
            "prohibited content",
        ],
        ContentFilter,
        "content_filter",
    )
    .and(&[
        "your prompt",
        "your request",
        "your input",
        "the prompt",
        "the request",
        "the input",
        "this request",
        "this prompt",
    ])
    .at(&[0, 200, 400, 403, 422]),
    // not this model, for anyone
    Rule::says(
        &[
            "has been sunset",
            "was sunset",
            "has been shut down",
            "was shut down",
            "was retired on",
            "is no longer offered",
            "is no longer served",
            "has been removed from service",
            "end-of-life",
        ],
        ModelGone,
        "retired",
    )
    .and(&["model", "engine", "deployment"])
    .at(&[0, 400, 403, 404, 410, 422]),
    // full
    Rule::says(
        &[
            "server is busy",
            "system is busy",
            "service is busy",
            "servers are busy",
            "heavy load",
            "high load",
            "insufficient capacity",
            "out of capacity",
            "no available capacity",
            "not enough capacity",
        ],
        Overloaded,
        "overloaded",
    )
    .at(&[0, 400, 408, 429, 498, 500, 502, 503, 529]),
];
