//! How models and their services misbehave on demand. What a model writes may be wrong in the same ways on every service; the
//! rest is each service's own.

use serde::{Deserialize, Serialize};

/// The ways in which the text that a model writes is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ModelFault {
    /// The answer's text is truncated JSON.
    GarbageJson,
    /// "Sure! Here is …" before the JSON, and a code fence around it.
    Preamble,
    /// The source text, unchanged.
    SourceText,
    /// The first protected part of each text is missing.
    MissingPlaceholder,
    /// The first protected part of each text appears twice.
    DoubledPlaceholder,
    /// A sentence in a language other than the target's.
    WrongLanguage,
    /// Much longer than the text or its limit.
    OverLong,
    /// The last item is missing.
    MissingItem,
    /// The first id appears twice.
    DuplicatedId,
    /// An id that was not in the request.
    UnknownId,
    /// Empty texts.
    EmptyText,
    /// A code fence around the JSON.
    Fenced,
    /// `{"items": [...]}` instead of the list.
    ItemsObject,
    /// No id was in the request.
    WrongIds,
    /// Control characters in the texts.
    ControlCharacters,
    /// Characters in the texts that change the writing direction.
    DirectionMarks,
    /// Each id has the translation of the next item; the last has that of the first.
    Shifted,
    /// Two neighbors have each other's translation.
    Swapped,
    /// Two neighbors are joined in one translation, and those behind them move up; the last item is missing.
    Merged,
    /// One item has the translation of its neighbor.
    NeighborTwice,
    /// One item is skipped, and those behind it move up; the last item is missing.
    Skipped,
}

/// The ways in which Gemini misbehaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GeminiFault {
    /// `promptFeedback.blockReason`, no candidates.
    Refusal,
    /// `finishReason: MAX_TOKENS` and no parts: thinking used up the budget.
    MaxTokens,
    /// `finishReason: SAFETY` and no parts.
    Safety,
    /// A part with `thought: true` before the answer: legal, but a trap.
    ThoughtPart,
    /// 429 with `RetryInfo` and a `PerMinute` quota.
    QuotaPerMinute,
    /// 429 with `RetryInfo` and a `PerDay` quota.
    QuotaPerDay,
    /// 503 overloaded.
    Overloaded,
    /// 500 INTERNAL.
    Internal,
    /// `candidates: []`.
    EmptyCandidates,
    /// Negative counts in `usageMetadata`.
    NegativeCounts,
    /// 429 with a `RetryInfo` of zero seconds.
    RetryNow,
    /// `parts: null`.
    NullParts,
    /// `candidates: null`.
    NullCandidates,
    /// `content: null`.
    NullContent,
    /// A part with `text: null`.
    NullText,
    /// Null counts in `usageMetadata`.
    NullCounts,
    /// Counts as strings in `usageMetadata`, which Google's JSON format allows.
    QuotedCounts,
    /// `usageMetadata: null`, and null for all unset fields.
    NullUsage,
    /// Its model writes something wrong: `{"gemini": "shifted"}`.
    #[serde(untagged)]
    Model(ModelFault),
}

/// The ways in which services misbehave whose API is OpenAI's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OpenAiFault {
    /// 429 `rate_limit_exceeded`, with a `Retry-After` of 20 seconds.
    RateLimited,
    /// 429 `rate_limit_exceeded` with the wait in its message only, as Groq writes it.
    RateLimitedInWords,
    /// 429 `insufficient_quota`: the account has no credit left.
    InsufficientQuota,
    /// 402, as OpenRouter answers for an account without credit.
    InsufficientCredits,
    /// 503 overloaded.
    Overloaded,
    /// 400 `context_length_exceeded`.
    ContextLength,
    /// 400 with a numeric code, as llama.cpp answers to a request that does not fit.
    ContextSize,
    /// `finish_reason: content_filter` and no content.
    ContentFilter,
    /// A `refusal` in the message and no content.
    Refusal,
    /// `finish_reason: length` in the middle of the text.
    Length,
    /// 200 with an error and no choices, as OpenRouter answers if a provider fails.
    ErrorInSuccess,
    /// 400 for a `response_format` with a schema.
    NoSchema,
    /// 400 for any `response_format`.
    NoResponseFormat,
    /// 400 for a `temperature`, as models answer that think.
    NoTemperature,
    /// Thoughts in `<think>` before the text.
    Thoughts,
    /// `content: null` and no reason to stop.
    NullContent,
    /// `choices: []`.
    EmptyChoices,
    /// `usage: null`.
    NullUsage,
    /// The model writes something wrong: `{"openai": "shifted"}`.
    #[serde(untagged)]
    Model(ModelFault),
}

/// The ways in which Anthropic misbehaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AnthropicFault {
    /// 529 `overloaded_error`.
    Overloaded,
    /// 429 `rate_limit_error`, with a `Retry-After` of 20 seconds.
    RateLimited,
    /// 400 for an account without credit.
    CreditBalance,
    /// 400 for a prompt that is too long.
    TooLong,
    /// `stop_reason: refusal` and no content.
    Refusal,
    /// `stop_reason: max_tokens` in the middle of the text.
    MaxTokens,
    /// The model writes something wrong: `{"anthropic": "shifted"}`.
    #[serde(untagged)]
    Model(ModelFault),
}
