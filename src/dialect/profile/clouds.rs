//! Clouds: AWS, Azure and Google, which serve other companies' models in ways of their own.

use super::quirks::Quirks;
use super::{ANTHROPIC, AuthHeader, Framing, Known, OPENAI, OPENAI_EMBEDDINGS, OPENAI_RESPONSES, Profile};
use crate::call::needs::Need;
use crate::dialect::Dialect;

/// AWS Bedrock, whose models tell neither their id nor their name in an answer. Its listing of models lives on another host
/// (`bedrock.` instead of `bedrock-runtime.`), so that an unpaid probe learns only that this one is there.
pub const BEDROCK: Profile = Profile {
    name: "bedrock",
    family: "bedrock",
    dialect: Dialect::Bedrock,
    path: "/model/{model}/converse",
    stream_path: "/model/{model}/converse-stream",
    body_members: &[],
    model_in_path: true,
    models_path: "",
    framing: Framing::EventStream,
    id_header: Some("x-amzn-requestid"),
    auth: AuthHeader::Bearer,
    headers: &[],
    usage_on_request: false,
    terminator_is_final: false,
    retry_after_on_overload: true,
    insufficient_quota_is_money: true,
    max_tokens_member: "maxTokens",
    quirks: Quirks::NONE,
    known: Known::at("https://bedrock-runtime.{region}.amazonaws.com", "US", "amazon-bedrock"),
    capabilities: ANTHROPIC.capabilities.without(Need::Stores),
};

/// Azure OpenAI, in the form of URLs that has no API version (recording `253bfe423ba929d9`).
pub const AZURE: Profile = Profile {
    name: "azure",
    path: "/openai/v1/chat/completions",
    stream_path: "/openai/v1/chat/completions",
    models_path: "/openai/v1/models",
    auth: AuthHeader::ApiKey,
    known: Known { base_url: None, seat: None, catalog: Some("azure") },
    ..OPENAI
};

/// Azure OpenAI, in the form of URLs that names the deployment (recording `d1f25c5a2281a92e`).
pub const AZURE_CLASSIC: Profile = Profile {
    name: "azure-classic",
    path: "/openai/deployments/{model}/chat/completions?api-version={api_version}",
    stream_path: "/openai/deployments/{model}/chat/completions?api-version={api_version}",
    models_path: "/openai/models?api-version={api_version}",
    ..AZURE
};

/// The same vendor's Responses API under the same form of URLs (recording `e205329d0491e3cc`).
pub const AZURE_RESPONSES: Profile = Profile {
    name: AZURE.name,
    path: "/openai/v1/responses",
    stream_path: "/openai/v1/responses",
    models_path: AZURE.models_path,
    auth: AZURE.auth,
    known: AZURE.known,
    ..OPENAI_RESPONSES
};

/// The same vendor's vectors
/// (<https://learn.microsoft.com/azure/ai-foundry/openai/reference>).
pub const AZURE_EMBEDDINGS: Profile = Profile {
    name: AZURE.name,
    path: "/openai/v1/embeddings",
    stream_path: "/openai/v1/embeddings",
    models_path: AZURE.models_path,
    auth: AZURE.auth,
    known: AZURE.known,
    ..OPENAI_EMBEDDINGS
};

/// Its vectors in the form of URLs that names the deployment.
pub const AZURE_CLASSIC_EMBEDDINGS: Profile = Profile {
    name: AZURE_CLASSIC.name,
    path: "/openai/deployments/{model}/embeddings?api-version={api_version}",
    stream_path: "/openai/deployments/{model}/embeddings?api-version={api_version}",
    models_path: AZURE_CLASSIC.models_path,
    ..AZURE_EMBEDDINGS
};

/// Claude on Vertex AI, which takes Anthropic's body without the model and with a version of its own (recording
/// `671cf3315e628efc`).
pub const VERTEX_CLAUDE: Profile = Profile {
    name: "vertex",
    path: "/v1/projects/{project}/locations/{location}/publishers/anthropic/models/{model}:rawPredict",
    stream_path: "/v1/projects/{project}/locations/{location}/publishers/anthropic/models/{model}:streamRawPredict",
    body_members: &[("anthropic_version", "\"vertex-2023-10-16\"")],
    model_in_path: true,
    models_path: "",
    auth: AuthHeader::Bearer,
    headers: &[],
    known: Known::at("https://{location}-aiplatform.googleapis.com", "US", "google-vertex-anthropic"),
    ..ANTHROPIC
};

/// All of them.
pub const PROFILES: [&Profile; 7] =
    [&BEDROCK, &AZURE, &AZURE_RESPONSES, &AZURE_EMBEDDINGS, &AZURE_CLASSIC, &AZURE_CLASSIC_EMBEDDINGS, &VERTEX_CLAUDE];

/// Where Google answers for a location: <https://cloud.google.com/vertex-ai/docs/general/locations>.
#[must_use]
pub fn google_host(location: &str) -> String {
    match location {
        "global" => "aiplatform.googleapis.com".to_owned(),
        "eu" | "us" => format!("aiplatform.{location}.rep.googleapis.com"),
        location => format!("{location}-aiplatform.googleapis.com"),
    }
}

/// Whether this is how AWS names a region, such as `eu-central-1`.
#[must_use]
pub fn is_aws_region(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    matches!(parts.as_slice(), [zone, .., number] if parts.len() >= 3
        && zone.len() == 2
        && !number.is_empty()
        && number.bytes().all(|byte| byte.is_ascii_digit())
        && parts.iter().all(|part| part.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aws_regions_are_known_by_their_shape() {
        for (text, expected) in [
            ("eu-central-1", true),
            ("us-gov-west-1", true),
            ("ap-southeast-2", true),
            ("eu", false),
            ("eu-1", false),
            ("unknown", false),
            ("europe-west4", false),
            ("EU-central-1", false),
        ] {
            assert_eq!(is_aws_region(text), expected, "{text}");
        }
    }

    #[test]
    fn google_answers_where_its_location_says() {
        for (location, host) in [
            ("global", "aiplatform.googleapis.com"),
            ("eu", "aiplatform.eu.rep.googleapis.com"),
            ("europe-west4", "europe-west4-aiplatform.googleapis.com"),
        ] {
            assert_eq!(google_host(location), host);
        }
    }
}
