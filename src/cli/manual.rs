//! `mynah completions` prints a shell's completions, and `mynah man` prints or writes the manual pages. Both are made
//! from the definition of the command line, so they are never out of date.

use std::path::{Path, PathBuf};

use clap::{Args, Command};
use clap_complete::Shell;
use clap_mangen::Man;

use super::{
    Failure,
    output::{print_bytes, print_line},
};

#[derive(Debug, Args)]
pub(super) struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

#[derive(Debug, Args)]
pub(super) struct ManArgs {
    /// Write one page for each command to this folder, such as ~/.local/share/man/man1
    #[arg(long, value_name = "FOLDER")]
    write: Option<PathBuf>,
}

pub(super) fn completions(args: &CompletionsArgs, mut command: Command) {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, "mynah", &mut script);
    print_bytes(&script);
}

pub(super) fn man(args: &ManArgs, mut command: Command) -> Result<(), Failure> {
    // Without this, the common options are missing from the pages of the commands.
    command.build();
    let Some(folder) = &args.write else {
        let mut page = Vec::new();
        Man::new(command).render(&mut page).map_err(|error| Failure::Work(error.to_string()))?;
        print_bytes(&page);
        return Ok(());
    };
    write(command, folder).map_err(|error| {
        Failure::Work(format!("--write {}: {error}; name a writable folder", folder.display()))
    })?;
    print_line(format_args!("The manual pages are in {}; read one with `man mynah-jobs`.", folder.display()));
    Ok(())
}

fn write(command: Command, folder: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    clap_mangen::generate_to(command, folder)
}
