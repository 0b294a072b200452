//! Reads Apertium's mode files. A mode is one line of shell that pipes a text through a dozen programs; it is read here
//! and run without a shell, so that nothing in a file can be more than a program and its arguments.

/// One program of a pipeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stage {
    pub(super) program: String,
    pub(super) arguments: Vec<String>,
}

/// A mode that cannot be run as a standing pipeline.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum ModeError {
    #[error("it is empty")]
    Empty,
    #[error("a quote is not closed")]
    OpenQuote,
    #[error("it holds “{0}”, which only a shell understands")]
    Shell(char),
    #[error("its stage “{0}” is not known to take texts one by one")]
    Program(String),
}

/// The programs that answer a NUL with all they have when given `-z`. Any other would keep a text until its input ends,
/// which in a standing pipeline is never.
const FLUSHING: [&str; 14] = [
    "apertium-anaphora",
    "apertium-interchunk",
    "apertium-postchunk",
    "apertium-posttransfer",
    "apertium-pretransfer",
    "apertium-tagger",
    "apertium-transfer",
    "cg-proc",
    "hfst-proc",
    "lrx-proc",
    "lsx-proc",
    "lt-proc",
    "rtx-proc",
    "rtx-decomp",
];

/// The stages of a mode, made to take texts one by one (`-z`) and to leave unknown words without marks (`$1` is `-n`).
pub(super) fn parse(mode: &str) -> Result<Vec<Stage>, ModeError> {
    split(mode)?.into_iter().map(stage).collect()
}

fn stage(words: Vec<String>) -> Result<Stage, ModeError> {
    let mut words = words.into_iter();
    let program = words.next().ok_or(ModeError::Empty)?;
    // The name decides, wherever the mode says that it lies.
    let name = program.rsplit('/').next().unwrap_or_default();
    if !FLUSHING.contains(&name) {
        return Err(ModeError::Program(program));
    }
    Ok(Stage { arguments: std::iter::once("-z".to_owned()).chain(words).collect(), program })
}

/// The words of each stage, as a shell would split them.
fn split(mode: &str) -> Result<Vec<Vec<String>>, ModeError> {
    let mut stages = vec![Vec::new()];
    let mut word: Option<String> = None;
    let mut chars = mode.trim().chars();
    while let Some(c) = chars.next() {
        match c {
            '\'' | '"' => {
                let quoted = word.get_or_insert_default();
                loop {
                    match chars.next() {
                        None => return Err(ModeError::OpenQuote),
                        Some(end) if end == c => break,
                        Some(live @ ('$' | '`' | '\\')) if c == '"' => return Err(ModeError::Shell(live)),
                        Some(inside) => quoted.push(inside),
                    }
                }
            }
            '$' => match chars.next() {
                Some('1') => word.get_or_insert_default().push_str("-n"),
                // What the wrapper has for debugging.
                Some('2') => {}
                _ => return Err(ModeError::Shell('$')),
            },
            '|' => {
                finish(&mut word, &mut stages);
                stages.push(Vec::new());
            }
            c if c.is_whitespace() => finish(&mut word, &mut stages),
            '&' | ';' | '<' | '>' | '(' | ')' | '`' | '\\' | '*' | '?' | '[' | ']' | '#' | '~' | '{'
            | '}' | '!' => return Err(ModeError::Shell(c)),
            c => word.get_or_insert_default().push(c),
        }
    }
    finish(&mut word, &mut stages);
    Ok(stages)
}

fn finish(word: &mut Option<String>, stages: &mut [Vec<String>]) {
    if let (Some(word), Some(stage)) = (word.take(), stages.last_mut()) {
        stage.push(word);
    }
}

impl Stage {
    /// Whether what the program answers may depend on what it was asked before.
    ///
    /// `apertium-tagger` with a hidden Markov model forgets what it knew of unknown words once it meets a word of a kind
    /// that it was not trained on, which happens in every fourth post: it narrows its *open class* down for good
    /// (`find_similar_ambiguity_class` assigns through a reference). What it answers then depends on all it was asked
    /// before, and is worse. The perceptron (`-x`) has no such class.
    pub(super) fn forgets(&self) -> bool {
        let is_tagger = self.program.ends_with("apertium-tagger");
        let is_perceptron = self.arguments.iter().any(|argument| {
            argument == "--perceptron"
                || (argument.starts_with('-') && !argument.starts_with("--") && argument.contains('x'))
        });
        is_tagger && !is_perceptron
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stage(program: &str, arguments: &[&str]) -> Stage {
        Stage { program: program.into(), arguments: arguments.iter().map(|a| (*a).to_owned()).collect() }
    }

    #[test]
    fn a_mode_becomes_stages_that_flush() {
        assert_eq!(
            parse(
                "lt-proc '/usr/a b|c.bin' | apertium-tagger -g $2 '/x.prob' |apertium-pretransfer| lt-proc $1 \"/g.bin\"\n"
            ),
            Ok(vec![
                stage("lt-proc", &["-z", "/usr/a b|c.bin"]),
                stage("apertium-tagger", &["-z", "-g", "/x.prob"]),
                stage("apertium-pretransfer", &["-z"]),
                stage("lt-proc", &["-z", "-n", "/g.bin"]),
            ])
        );
    }

    #[test]
    fn what_needs_a_shell_or_does_not_flush_is_refused() {
        for (mode, error) in [
            ("", ModeError::Empty),
            ("lt-proc a || lt-proc b", ModeError::Empty),
            ("lt-proc 'a", ModeError::OpenQuote),
            ("lt-proc $(reboot)", ModeError::Shell('$')),
            ("lt-proc \"$HOME\"", ModeError::Shell('$')),
            ("lt-proc a > /etc/passwd", ModeError::Shell('>')),
            ("lt-proc a; rm b", ModeError::Shell(';')),
            ("lt-proc a | vislcg3 b", ModeError::Program("vislcg3".into())),
            ("/bin/sh -c a", ModeError::Program("/bin/sh".into())),
        ] {
            assert_eq!(parse(mode), Err(error), "{mode}");
        }
    }

    #[test]
    fn a_tagger_forgets_unless_it_is_a_perceptron() {
        assert!(stage("apertium-tagger", &["-z", "-g", "a.x.prob"]).forgets());
        assert!(stage("/usr/bin/apertium-tagger", &["-z", "-g", "/x/a.prob"]).forgets());
        assert!(!stage("apertium-tagger", &["-z", "-gx", "a.prob"]).forgets());
        assert!(!stage("lt-proc", &["-z", "a.bin"]).forgets());
    }
}
