//! What a call demands of whoever serves it, and what a deployment offers.

/// One demand. The name is what clients, logs and `explain` show.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u32)]
pub enum Need {
    /// Tools are offered or tool turns are in the history.
    Tools = 1,
    /// Images in the messages.
    Images = 1 << 1,
    /// Audio in or out.
    Audio = 1 << 2,
    /// Files or documents in the messages.
    Documents = 1 << 3,
    /// An answer that follows a JSON schema.
    JsonSchema = 1 << 4,
    /// An answer that is some JSON object.
    JsonObject = 1 << 5,
    /// Log-probabilities.
    Logprobs = 1 << 6,
    /// More than one choice.
    Choices = 1 << 7,
    /// A seed.
    Seed = 1 << 8,
    /// `logit_bias`.
    LogitBias = 1 << 9,
    /// Presence or frequency penalties.
    Penalties = 1 << 10,
    /// `top_k`.
    TopK = 1 << 11,
    /// Reasoning is asked for.
    Reasoning = 1 << 12,
    /// A history that only its own vendor can read, such as a compaction. Sealed thoughts are none: see
    /// [`seal`](super::seal).
    SignedReasoning = 1 << 13,
    /// The answer continues a given beginning.
    Prefill = 1 << 14,
    /// The vendor is asked to keep the call (`store`).
    Stores = 1 << 15,
    /// Tools that the vendor runs (web search, code, remote MCP).
    HostedTools = 1 << 16,
    /// Ids of things kept at the vendor (files, containers, earlier responses).
    ServerIds = 1 << 17,
    /// Predicted outputs.
    Prediction = 1 << 18,
    /// A chosen service tier.
    ServiceTier = 1 << 19,
    /// Explicit cache breakpoints.
    CacheControl = 1 << 20,
    /// Members that the canonical form does not know.
    UnknownMembers = 1 << 21,
    /// A temperature or `top_p` other than 1, which models that always think refuse.
    Temperature = 1 << 22,
    /// Texts to embed that come as tokens of the model's own vocabulary.
    TokenInputs = 1 << 23,
}

impl Need {
    /// Every need.
    pub const ALL: [Self; 24] = [
        Self::Tools,
        Self::Images,
        Self::Audio,
        Self::Documents,
        Self::JsonSchema,
        Self::JsonObject,
        Self::Logprobs,
        Self::Choices,
        Self::Seed,
        Self::LogitBias,
        Self::Penalties,
        Self::TopK,
        Self::Reasoning,
        Self::SignedReasoning,
        Self::Prefill,
        Self::Stores,
        Self::HostedTools,
        Self::ServerIds,
        Self::Prediction,
        Self::ServiceTier,
        Self::CacheControl,
        Self::UnknownMembers,
        Self::Temperature,
        Self::TokenInputs,
    ];

    /// The name that people see, and that capabilities are configured with.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tools => "tools",
            Self::Images => "images",
            Self::Audio => "audio",
            Self::Documents => "documents",
            Self::JsonSchema => "json_schema",
            Self::JsonObject => "json_object",
            Self::Logprobs => "logprobs",
            Self::Choices => "n",
            Self::Seed => "seed",
            Self::LogitBias => "logit_bias",
            Self::Penalties => "penalties",
            Self::TopK => "top_k",
            Self::Reasoning => "reasoning",
            Self::SignedReasoning => "signed_reasoning",
            Self::Prefill => "prefill",
            Self::Stores => "store",
            Self::HostedTools => "hosted_tools",
            Self::ServerIds => "server_ids",
            Self::Prediction => "prediction",
            Self::ServiceTier => "service_tier",
            Self::CacheControl => "cache_control",
            Self::UnknownMembers => "unknown_members",
            Self::Temperature => "temperature",
            Self::TokenInputs => "token_inputs",
        }
    }
}

/// A set of needs; also a set of capabilities, which are needs that can be met.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Needs(u32);

/// What a deployment offers.
pub type Capabilities = Needs;

impl Needs {
    /// Nothing beyond text.
    pub const NONE: Self = Self(0);

    /// All there is.
    #[must_use]
    pub const fn all() -> Self {
        Self((1 << Need::ALL.len()) - 1)
    }

    /// These needs.
    #[must_use]
    pub const fn of(needs: &[Need]) -> Self {
        let (mut set, mut rest) = (Self::NONE, needs);
        while let [first, others @ ..] = rest {
            set.add(*first);
            rest = others;
        }
        set
    }

    /// This set and one more.
    #[must_use]
    pub const fn with(self, need: Need) -> Self {
        Self(self.0 | need as u32)
    }

    /// This set but for one.
    #[must_use]
    pub const fn without(self, need: Need) -> Self {
        Self(self.0 & !(need as u32))
    }

    /// This set but for those of the other.
    #[must_use]
    pub const fn minus(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Everything that is in either set.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Adds one.
    pub const fn add(&mut self, need: Need) {
        self.0 |= need as u32;
    }

    /// Whether it is in the set.
    #[must_use]
    pub const fn has(self, need: Need) -> bool {
        self.0 & need as u32 != 0
    }

    /// Each of them. Nearly always there are none, which is seen at once.
    pub fn iter(self) -> impl Iterator<Item = Need> {
        let all = if self == Self::NONE { &[][..] } else { &Need::ALL };
        all.iter().copied().filter(move |need| self.has(*need))
    }

    /// The first need that `capabilities` cannot meet.
    #[must_use]
    pub fn unmet(self, capabilities: Capabilities) -> Option<Need> {
        self.minus(capabilities).iter().next()
    }
}
