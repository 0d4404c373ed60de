//! Proofs over all requests and all entities: Cedar's symbolic compiler asks the solver cvc5.

use crate::cli::prove::Unready;
use crate::cli::prove::counterexample;
use crate::cli::prove::solver::{self, Solver};
use crate::snapshot::Snapshot;
use crate::snapshot::properties::Verdict;
use cedar_policy::{Authorizer, Decision, PolicyId, PolicySet, RequestEnv, Schema};
use cedar_policy_symcc::solver::LocalSolver;
use cedar_policy_symcc::{CedarSymCompiler, CompiledPolicySet, Env, err};
use std::error::Error;
use std::str::FromStr;
use std::thread;
use tokio::process::Command;
use tokio::runtime::{self, Runtime};

/// The symbolic compiler walks deep terms: a thousand policies overflow the eight megabytes of a main thread.
const STACK_BYTES: usize = 512 << 20;
/// How long the solver may think about one property.
const PATIENCE_MS: u32 = 120_000;

/// What a proof is about, in Cedar.
pub(super) struct Subject {
    pub(super) schema: String,
    pub(super) policies: String,
    pub(super) premises: String,
}

impl Subject {
    pub(super) fn of(snapshot: &Snapshot, properties: &[&str]) -> Self {
        Self {
            schema: snapshot.policy_schema(),
            policies: snapshot.policy_text(),
            premises: snapshot.premises(&properties.concat()),
        }
    }
}

/// Asks for each property whether whatever the policies permit is permitted by it.
///
/// # Errors
/// Why nothing can be proved.
pub(super) fn judge(subject: &Subject, properties: &[&str]) -> Result<Vec<Verdict>, Unready> {
    let solver = solver::find()?;
    let work = || {
        let prover = Prover::new(subject, solver).map_err(|error| failed(chain(error.as_ref())))?;
        Ok(properties.iter().map(|property| prover.judge(property)).collect())
    };
    thread::scope(|scope| {
        let thread = thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, work);
        let thread = thread.map_err(|error| failed(format!("no thread for the proofs: {error}")))?;
        thread.join().unwrap_or_else(|_| Err(failed("the symbolic compiler broke down".to_owned())))
    })
}

/// The policies, compiled to what a solver understands.
struct Prover {
    solver: Solver,
    runtime: Runtime,
    schema: Schema,
    environment: RequestEnv,
    policies: PolicySet,
    compiled: CompiledPolicySet,
}

impl Prover {
    fn new(subject: &Subject, solver: Solver) -> Result<Self, Box<dyn Error>> {
        let (schema, _) = Schema::from_cedarschema_str(&subject.schema)?;
        let environment = schema.request_envs().next().ok_or("the schema has no kind of request")?;
        let policies = named(&subject.policies)?;
        let mut premised = policies.clone();
        for (number, premise) in PolicySet::from_str(&subject.premises)?.policies().enumerate() {
            premised.add(premise.new_id(PolicyId::new(format!("premise {number}"))))?;
        }
        Ok(Self {
            solver,
            runtime: runtime::Builder::new_current_thread().enable_all().build()?,
            compiled: CompiledPolicySet::compile(&premised, &environment, &schema)?,
            schema,
            environment,
            policies,
        })
    }

    fn judge(&self, property: &str) -> Verdict {
        match self.runtime.block_on(self.refutation(property)) {
            Ok(None) => Verdict::Proved,
            Ok(Some(env)) => self.replay(&env),
            Err(error) => match error.downcast_ref() {
                Some(err::Error::SolverUnknown) => {
                    Verdict::Untold(format!("the solver could not tell within {} s", PATIENCE_MS / 1_000))
                }
                _ => Verdict::Untold(chain(error.as_ref())),
            },
        }
    }

    /// A request and entities that the policies permit and the property does not.
    async fn refutation(&self, property: &str) -> Result<Option<Env>, Box<dyn Error>> {
        let property = CompiledPolicySet::compile(&PolicySet::from_str(property)?, &self.environment, &self.schema)?;
        let mut command = Command::from(self.solver.command(PATIENCE_MS));
        let solver = LocalSolver::from_command(command.kill_on_drop(true))?;
        let mut compiler = CedarSymCompiler::new(solver)?;
        Ok(compiler.check_implies_with_counterexample_opt(&self.compiled, &property).await?)
    }

    /// The policies themselves are asked about what the solver found.
    fn replay(&self, env: &Env) -> Verdict {
        let answer = Authorizer::new().is_authorized(&env.request, &self.policies, &env.entities);
        if let Some(error) = answer.diagnostics().errors().next() {
            // Cedar skips a policy that errs; the proxy refuses the deployment
            return Verdict::Untold(format!("the only counterexample found makes a policy err: {error}"));
        }
        if answer.decision() != Decision::Allow {
            return Verdict::Untold("what the solver found does not hold when the policies are asked".to_owned());
        }
        let mut rules: Vec<String> = answer.diagnostics().reason().map(ToString::to_string).collect();
        rules.sort();
        Verdict::Refuted(counterexample::words(env, &rules))
    }
}

fn failed(why: String) -> Unready {
    Unready { why, steps: Vec::new() }
}

/// Policies under their `@id`.
fn named(text: &str) -> Result<PolicySet, Box<dyn Error>> {
    let parsed = PolicySet::from_str(text)?;
    let under_id = |policy: &cedar_policy::Policy| match policy.annotation("id") {
        Some(id) => policy.new_id(PolicyId::new(id)),
        None => policy.clone(),
    };
    Ok(PolicySet::from_policies(parsed.policies().map(under_id))?)
}

/// An error with all that caused it.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}

#[cfg(test)]
mod tests;
