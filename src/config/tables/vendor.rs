//! Vendors, endpoints, deployments.

use crate::config::reader::At;
use crate::config::secrets::{NamedCredential, SecretSource};
use crate::config::section::{choice, section};
use crate::config::values::{FilePath, UsdPerMillion};
use std::time::Duration;

choice! {
    /// How requests to a vendor are authenticated.
    Auth {
        /// The credential goes into the header that the dialect names.
        Bearer = "bearer",
        /// Signed with an AWS key.
        Sigv4 = "sigv4",
        /// A Google access token.
        Google = "google",
        /// A Microsoft Entra token.
        Entra = "entra",
    }
}

section! {
    /// A company: who it is, what it promises.
    Vendor {
        /// Wire format family: "openai", "anthropic".
        dialect: At<String>,
        /// The quirks of a compatible vendor.
        profile: Option<At<String>>,
        /// Where it departs from its profile: how a vendor that is not listed is described.
        quirks: Option<Quirks>,
        /// The wire formats it speaks, where fewer than its family.
        speaks: Vec<At<String>>,
        /// Country where the company is seated, not where data go.
        seat: Option<At<String>>,
        /// Agreements that were signed with it, such as "dpa", "scc", "baa".
        agreements: Option<Vec<At<String>>>,
        /// Certifications it holds, such as "soc2", "iso27001".
        certifications: Option<Vec<At<String>>>,
        /// Days for which it keeps calls.
        retention_days: Option<u32>,
        /// Whether it trains on what it is sent.
        trains_on_inputs: Option<bool>,
        /// Its own endpoint, with the path prefix that its dialect documents.
        base_url: Option<At<String>>,
        /// Where that endpoint processes.
        region: Option<At<String>>,
        /// Our secret there.
        credential: Option<At<SecretSource>>,
        /// Several secrets; each makes a deployment of its own.
        credentials: Vec<NamedCredential>,
        /// Its machine-readable status page.
        status_url: Option<At<String>>,
        /// PEM file of an authority to trust there beside the system's.
        ca_file: Option<At<FilePath>>,
        /// Whether its host may resolve to a private address.
        allow_private: Option<bool>,
        /// Whether HTTP/2 is offered to it.
        http2: Option<bool>,
        /// How requests are authenticated.
        auth: Option<At<Auth>>,
        /// Where tokens are fetched, unless it is the cloud's own endpoint.
        token_url: Option<At<String>>,
        /// Google Cloud project.
        project: Option<String>,
        /// Google Cloud location.
        location: Option<String>,
        /// Azure API version.
        api_version: Option<String>,
        /// Azure form of URLs: "v1" or "classic".
        url_form: Option<At<String>>,
        /// The one key whose account this is: nobody else may use it.
        reserved_for: Option<At<String>>,
        /// How long to wait for what.
        timeouts: Option<Timeouts>,
    }
}

section! {
    /// Where a vendor departs from its profile.
    Quirks {
        /// The member that caps the answer's tokens.
        max_tokens_member: Option<MaxTokensMember>,
        /// Whether a stream tells its usage only when it is asked to.
        usage_on_request: Option<bool>,
        /// Whether the terminator alone completes a stream, without a finish reason.
        terminator_is_final: Option<bool>,
        /// Whether Retry-After on 529 or 503 is meant.
        retry_after_on_overload: Option<bool>,
        /// Whether 429 `insufficient_quota` means money.
        insufficient_quota_is_money: Option<bool>,
        /// Whether members that it does not list are refused.
        strict_members: Option<bool>,
        /// Members of OpenAI's that it refuses or overlooks.
        refused_members: Option<Vec<At<String>>>,
        /// Whether the role `developer` is known.
        developer_role: Option<bool>,
        /// Whether system texts may come behind the conversation's beginning.
        late_system: Option<bool>,
        /// The rule for ids of tool calls.
        tool_call_ids: Option<ToolCallIds>,
        /// Whether thoughts stand in the answer's text, between `<think>` and `</think>`.
        think_tags: Option<bool>,
        /// The words of `reasoning_effort` that it takes.
        efforts: Option<Vec<At<String>>>,
        /// The most texts of `stop`.
        stops: Option<u32>,
        /// Whether a cap on the answer above what the model gives is refused, instead of trimmed.
        strict_max_tokens: Option<bool>,
        /// Whether a tool's result may hold images.
        tool_result_images: Option<bool>,
        /// Whether a strict schema must require every property.
        strict_schemas: Option<bool>,
        /// Whether a last message with `prefix: true` is the beginning of its answer, which then repeats it.
        prefix: Option<bool>,
        /// What its models cannot do although the dialect could.
        lacks: Vec<At<String>>,
        /// What its models can do although its profile says that they cannot.
        offers: Vec<At<String>>,
        /// Whose models these are in the list of what models can do.
        catalog: Option<At<String>>,
    }
}

choice! {
    /// The member that caps the answer's tokens.
    MaxTokensMember {
        /// OpenAI's first one.
        MaxTokens = "max_tokens",
        /// OpenAI's newer one.
        MaxCompletionTokens = "max_completion_tokens",
    }
}

choice! {
    /// The rule for ids of tool calls.
    ToolCallIds {
        /// Any text.
        Any = "any",
        /// Exactly nine letters and digits.
        NineAlphanumerics = "nine_alphanumerics",
    }
}

section! {
    /// A further place where a vendor answers: same company, other place and key.
    Endpoint {
        /// Whose it is.
        vendor: At<String>,
        /// Where it answers, with the path prefix that the dialect documents.
        base_url: At<String>,
        /// Where it processes.
        region: Option<At<String>>,
        /// Our secret there.
        credential: Option<At<SecretSource>>,
        /// Several secrets; each makes a deployment of its own.
        credentials: Vec<NamedCredential>,
        /// Agreements, where they differ from the vendor's.
        agreements: Option<Vec<At<String>>>,
        /// Certifications, where they differ from the vendor's.
        certifications: Option<Vec<At<String>>>,
        /// Days for which calls are kept here, where they differ from the vendor's.
        retention_days: Option<u32>,
        /// Whether calls here are trained on, where it differs from the vendor's.
        trains_on_inputs: Option<bool>,
        /// Its machine-readable status page.
        status_url: Option<At<String>>,
        /// PEM file of an authority to trust there beside the system's.
        ca_file: Option<At<FilePath>>,
        /// Whether its host may resolve to a private address.
        allow_private: Option<bool>,
        /// Whether HTTP/2 is offered to it.
        http2: Option<bool>,
        /// How requests are authenticated.
        auth: Option<At<Auth>>,
        /// Where tokens are fetched, unless it is the cloud's own endpoint.
        token_url: Option<At<String>>,
        /// Google Cloud project.
        project: Option<String>,
        /// Google Cloud location.
        location: Option<String>,
        /// Azure API version.
        api_version: Option<String>,
        /// The one key whose account this is: nobody else may use it.
        reserved_for: Option<At<String>>,
        /// How long to wait for what.
        timeouts: Option<Timeouts>,
    }
}

section! {
    /// Where one deployment differs from its endpoint and vendor.
    Deployment {
        /// Where this model processes.
        region: Option<At<String>>,
        /// Agreements that hold for this model.
        agreements: Option<Vec<At<String>>>,
        /// Certifications that hold for this model.
        certifications: Option<Vec<At<String>>>,
        /// Days for which calls of this model are kept.
        retention_days: Option<u32>,
        /// Whether calls of this model are trained on.
        trains_on_inputs: Option<bool>,
        /// Export class of the model: 0 is uncontrolled.
        export_class: Option<u32>,
        /// What it charges.
        price: Option<At<Price>>,
        /// What it cannot do although its dialect could, such as "tools", "images".
        lacks: Vec<At<String>>,
        /// What it can do although its dialect commonly cannot.
        offers: Vec<At<String>>,
        /// Tokens of prompt and answer together.
        context: Option<u64>,
        /// The answer cap that is sent where the dialect demands one and the call has none.
        max_output: Option<u64>,
        /// How long to wait for what.
        timeouts: Option<Timeouts>,
    }
}

section! {
    /// US dollars per million tokens.
    Price {
        /// A fresh prompt token.
        input: Option<UsdPerMillion>,
        /// An answer token.
        output: Option<UsdPerMillion>,
        /// A prompt token read from cache; as `input` unless given.
        cached: Option<UsdPerMillion>,
        /// A prompt token written to cache; as `input` unless given.
        written: Option<UsdPerMillion>,
    }
}

section! {
    /// How long to wait for what.
    Timeouts {
        /// TCP connection.
        connect: Option<Duration>,
        /// TCP connection and TLS handshake together.
        handshake: Option<Duration>,
        /// Response headers of a streamed call.
        headers: Option<Duration>,
        /// First content of a streamed call, from the attempt's start.
        first_content: Option<Duration>,
        /// Between two reads of a stream.
        idle: Option<Duration>,
        /// Between two content events of a stream, which pings do not reset.
        progress: Option<Duration>,
        /// Four content events of a stream, however small.
        trickle: Option<Duration>,
        /// The whole answer of an unstreamed call.
        answer: Option<Duration>,
    }
}
