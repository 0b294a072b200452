//! What translates: adapters of the [`Engine`](mynah_domain::ports::engine::Engine) port, one folder each.

pub mod apertium;
pub mod gemini;
mod llm;
