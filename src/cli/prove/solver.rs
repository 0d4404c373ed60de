//! Where the solver cvc5 is on this machine: the program, or the Python package of the same name.

use crate::cli::prove::{SOLVER, Unready};
use std::path::Path;
use std::process::{Command, Stdio};

/// Names the program, or a Python that has the package; the variable is the symbolic compiler's own.
const VARIABLE: &str = "CVC5";
const PROGRAM: &str = "cvc5";
const PYTHON: &str = "python3";
/// The package brings the library without the program; this speaks for it.
const STAND_IN: &str = include_str!("cvc5.py");

/// A solver that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Solver {
    /// The program of this name or path.
    Program(String),
    /// This Python, which has the package.
    Package(String),
}

impl Solver {
    /// What runs it, reading SMT-LIB from its standard input; it thinks for at most so long about each question.
    pub(super) fn command(&self, patience_ms: u32) -> Command {
        match self {
            Self::Program(path) => {
                let mut command = Command::new(path);
                command.args(["--lang", "smt"]).arg(format!("--tlimit-per={patience_ms}"));
                command
            }
            Self::Package(python) => {
                let mut command = Command::new(python);
                command.args(["-c", STAND_IN]).arg(patience_ms.to_string());
                command
            }
        }
    }

    fn named(path: String) -> Self {
        let file = Path::new(&path).file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if file.starts_with("python") { Self::Package(path) } else { Self::Program(path) }
    }

    fn is_there(&self) -> bool {
        let mut command = match self {
            Self::Program(path) => Command::new(path),
            Self::Package(python) => Command::new(python),
        };
        match self {
            Self::Program(_) => command.arg("--version"),
            Self::Package(_) => command.args(["-c", "import cvc5"]),
        };
        let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        quiet.status().is_ok_and(|status| status.success())
    }
}

/// The solver that `CVC5` names; else the program along `PATH`, or the package of its Python.
///
/// # Errors
/// There is none, or the one that is named does not run.
pub(super) fn find() -> Result<Solver, Unready> {
    if let Ok(path) = std::env::var(VARIABLE) {
        let solver = Solver::named(path.clone());
        let help = "it must be cvc5, or a python3 that has the package cvc5";
        let unready = Unready { why: format!("{VARIABLE} is {path}, and {help}"), steps: vec![SOLVER] };
        return Some(solver).filter(Solver::is_there).ok_or(unready);
    }
    let known = [Solver::Program(PROGRAM.to_owned()), Solver::Package(PYTHON.to_owned())];
    let unready = || Unready { why: "the solver cvc5 is not on this machine".to_owned(), steps: vec![SOLVER] };
    known.into_iter().find(Solver::is_there).ok_or_else(unready)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_python_is_told_from_the_program_by_its_name() {
        for (path, package) in [("/opt/cvc5", false), ("cvc5-1.3.1", false), ("venv/bin/python3", true)] {
            let solver = Solver::named(path.to_owned());
            assert_eq!(matches!(solver, Solver::Package(_)), package, "{path}");
        }
    }
}
