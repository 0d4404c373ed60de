//! What follows from a failure: for the exchange, for health, and on whose account.

/// What an exchange does after a failed attempt, as long as nothing has gone out to the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NextStep {
    /// Send it once more to the same deployment on a fresh connection, free of budget: the vendor never worked on it.
    Resend,
    /// Go on to the next candidate.
    Move,
    /// Try the same deployment once more where the pool has patience for it, because what failed often passes; else, and
    /// after that, go on to the next candidate.
    RetryOrMove,
    /// Go on to the next candidate; with none left, try the same deployment once more.
    MoveOrResend,
    /// Give the vendor's own error to the client: another deployment would say the same.
    Answer,
    /// Stop: there is nobody left to answer, or no time.
    Stop,
}

/// What a failure says about the health of whatever is to blame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HealthEffect {
    /// Counts towards consecutive failures and the failure ratio.
    Hard,
    /// Opens the breaker at once.
    Open,
    /// Counts towards the failure ratio alone.
    Ratio,
    /// Whatever is to blame rests for the vendor's hint or a default, and the breaker learns nothing.
    Rest,
    /// The vendor's quota is told (`state::quota`), which knows how long to wait; the breaker learns nothing.
    Quota,
    /// Says nothing.
    Neutral,
}

/// What is to blame for a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Blame {
    /// The endpoint's host: every model on it shares the evidence.
    Host,
    /// The deployment.
    Deployment,
    /// The account, for this model.
    Account,
    /// The credential.
    Credential,
    /// The vendor.
    Vendor,
    /// The model at this vendor.
    Model,
    /// The vendor as seen from where we stand.
    Egress,
    /// Nobody there: the client, or chance.
    Nobody,
}
