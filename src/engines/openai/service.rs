//! The services whose API is OpenAI's, each with what differs: where it is, which model to ask, how it limits and shapes answers,
//! and where its keys come from.

/// A service, for its defaults. All of them can be overridden, and [`Service::Other`] has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// OpenAI.
    OpenAi,
    /// Mistral, in France.
    Mistral,
    /// Groq, which runs open models fast.
    Groq,
    /// OpenRouter, which passes requests on to many providers.
    OpenRouter,
    /// Ollama, on this machine or in this network.
    Ollama,
    /// Any other: llama.cpp, vLLM, LM Studio, a company's gateway.
    Other,
}

/// How a request asks for JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// By a schema, which the service holds the model to.
    Schema,
    /// As any JSON object.
    Object,
    /// In words only.
    Words,
}

/// What a request calls the most tokens that an answer may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LimitName {
    /// The newer name.
    MaxCompletionTokens,
    /// The older one, which most services know.
    MaxTokens,
}

impl LimitName {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::MaxCompletionTokens => "max_completion_tokens",
            Self::MaxTokens => "max_tokens",
        }
    }

    pub(super) fn other(self) -> Self {
        match self {
            Self::MaxCompletionTokens => Self::MaxTokens,
            Self::MaxTokens => Self::MaxCompletionTokens,
        }
    }
}

/// What is known about a service.
#[derive(Debug, Clone, Copy)]
pub(super) struct Defaults {
    /// What errors call it; `None` for the name of the section.
    pub(super) title: Option<&'static str>,
    pub(super) base_url: Option<&'static str>,
    pub(super) model: Option<&'static str>,
    /// Where a key comes from; `None` where none is needed.
    pub(super) keys: Option<&'static str>,
    pub(super) shape: Shape,
    pub(super) limit: LimitName,
}

impl Service {
    /// Each by the name that settings use.
    pub(super) const ALL: [(&'static str, Self); 6] = [
        ("openai", Self::OpenAi),
        ("mistral", Self::Mistral),
        ("groq", Self::Groq),
        ("openrouter", Self::OpenRouter),
        ("ollama", Self::Ollama),
        ("other", Self::Other),
    ];

    /// The name of the service whose defaults a section takes that names none: the one it is called after.
    pub(super) fn of_section(section: &str) -> &'static str {
        Self::ALL.iter().find(|(name, _)| *name == section).map_or("other", |(name, _)| name)
    }

    pub(super) fn defaults(self) -> Defaults {
        let openai = Defaults {
            title: Some("OpenAI"),
            base_url: Some("https://api.openai.com/v1"),
            model: Some("gpt-5.4-mini"),
            keys: Some("https://platform.openai.com/api-keys"),
            shape: Shape::Schema,
            limit: LimitName::MaxCompletionTokens,
        };
        match self {
            Self::OpenAi => openai,
            Self::Mistral => Defaults {
                title: Some("Mistral"),
                base_url: Some("https://api.mistral.ai/v1"),
                model: Some("mistral-small-latest"),
                keys: Some("https://console.mistral.ai/api-keys"),
                limit: LimitName::MaxTokens,
                ..openai
            },
            Self::Groq => Defaults {
                title: Some("Groq"),
                base_url: Some("https://api.groq.com/openai/v1"),
                // One of those that Groq holds to a schema.
                model: Some("openai/gpt-oss-120b"),
                keys: Some("https://console.groq.com/keys"),
                ..openai
            },
            Self::OpenRouter => Defaults {
                title: Some("OpenRouter"),
                base_url: Some("https://openrouter.ai/api/v1"),
                model: Some("openai/gpt-5.4-mini"),
                keys: Some("https://openrouter.ai/keys"),
                limit: LimitName::MaxTokens,
                ..openai
            },
            Self::Ollama => Defaults {
                title: Some("Ollama"),
                base_url: Some("http://localhost:11434/v1"),
                model: Some("gemma3:4b"),
                keys: None,
                limit: LimitName::MaxTokens,
                ..openai
            },
            Self::Other => Defaults {
                title: None,
                base_url: None,
                model: None,
                keys: Some("the service"),
                limit: LimitName::MaxTokens,
                ..openai
            },
        }
    }
}
