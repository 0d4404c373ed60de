//! Proofs by Cedar's own tool, where it is installed: `cedar symcc`, which asks the solver cvc5.
//!
//! Its release archives are called `cedar-policy-cli-experimental`; its flags are those of `cedar symcc implies --help`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The tool's name, found along `PATH`.
const TOOL: &str = "cedar";

/// What the tool says of one property.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It holds for all requests and all entities.
    Proved,
    /// It does not, with the tool's own counterexample.
    Refuted(String),
    /// The tool is not there, or could not tell; why.
    Untold(String),
}

/// The files that the tool reads, in a folder of their own that goes when this does.
pub(super) struct Solver {
    folder: PathBuf,
}

impl Drop for Solver {
    fn drop(&mut self) {
        // what is left is a few small files in the system's folder for such
        let _ = fs::remove_dir_all(&self.folder);
    }
}

impl Solver {
    /// Lays schema and policies out for the tool; `None` where the tool is not installed.
    ///
    /// # Errors
    /// The files cannot be written.
    pub(super) fn find(schema: &str, policies: &str) -> io::Result<Option<Self>> {
        if Command::new(TOOL).args(["symcc", "--help"]).output().is_ok_and(|output| output.status.success()) {
            let folder = std::env::temp_dir().join(format!("backstay-prove-{}", std::process::id()));
            fs::create_dir_all(&folder)?;
            let solver = Self { folder };
            fs::write(solver.path("schema.cedarschema"), schema)?;
            fs::write(solver.path("policies.cedar"), policies)?;
            return Ok(Some(solver));
        }
        Ok(None)
    }

    /// Asks whether whatever the policies permit is permitted by the property.
    pub(super) fn implies(&self, property: &str) -> Verdict {
        let path = self.path("property.cedar");
        if let Err(error) = fs::write(&path, property) {
            return Verdict::Untold(format!("{}: {error}", path.display()));
        }
        let output = Command::new(TOOL)
            .args(["symcc", "--principal-type", "Key", "--action", "Action::\"call\"", "--resource-type", "Deployment"])
            .arg("--schema")
            .arg(self.path("schema.cedarschema"))
            .arg("implies")
            .arg("--policies1")
            .arg(self.path("policies.cedar"))
            .arg("--policies2")
            .arg(&path)
            .output();
        match output {
            Ok(output) => read(&String::from_utf8_lossy(&output.stdout), &String::from_utf8_lossy(&output.stderr)),
            Err(error) => Verdict::Untold(format!("{TOOL}: {error}")),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        Path::new(&self.folder).join(name)
    }
}

/// The tool's answer: it tells by words, not by its exit code.
fn read(said: &str, complained: &str) -> Verdict {
    if said.contains("DOES NOT HOLD") {
        Verdict::Refuted(said.trim().to_owned())
    } else if said.contains("VERIFIED") {
        Verdict::Proved
    } else {
        let complaint = complained.trim();
        Verdict::Untold(if complaint.is_empty() {
            "the tool said nothing that is understood".to_owned()
        } else {
            complaint.to_owned()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tools_words_are_understood() {
        assert_eq!(read("ok: VERIFIED", ""), Verdict::Proved);
        assert!(matches!(read("x: DOES NOT HOLD\n  Counterexample found:\n ...", ""), Verdict::Refuted(_)));
        assert_eq!(read("", "CVC5 solver not found"), Verdict::Untold("CVC5 solver not found".to_owned()));
        assert!(matches!(read("", ""), Verdict::Untold(_)));
    }
}
