//! Tests of policies: an inventory of their own, calls, and what must become of them.

use crate::config::reader::{At, TablesOf};
use crate::config::section::section;
use crate::config::tables::vendor::Price;

section! {
    /// One file of `policies/tests`.
    PolicyTests {
        /// The policy files that are tested together, such as "base.cedar"; all unless given.
        policies: Vec<At<String>>,
        /// Vendors of the tests.
        vendor: TablesOf<TestVendor>,
        /// Deployments of the tests, as "vendor/model".
        deployment: TablesOf<TestDeployment>,
        /// Keys of the tests.
        key: TablesOf<TestKey>,
        /// The tests.
        test: Vec<At<PolicyTest>>,
    }
}

section! {
    /// A company, for a test.
    TestVendor {
        /// Country where it is seated.
        seat: Option<At<String>>,
        /// Agreements that were signed with it.
        agreements: Option<Vec<At<String>>>,
        /// Certifications it holds.
        certifications: Option<Vec<At<String>>>,
        /// Days for which it keeps calls.
        retention_days: Option<u32>,
        /// Whether it trains on what it is sent.
        trains_on_inputs: Option<bool>,
    }
}

section! {
    /// A deployment, for a test.
    TestDeployment {
        /// Where it processes.
        region: Option<At<String>>,
        /// Agreements, where they differ from the vendor's.
        agreements: Option<Vec<At<String>>>,
        /// Certifications, where they differ from the vendor's.
        certifications: Option<Vec<At<String>>>,
        /// Days for which calls are kept, where they differ from the vendor's.
        retention_days: Option<u32>,
        /// Whether calls are trained on, where it differs from the vendor's.
        trains_on_inputs: Option<bool>,
        /// Export class of the model: 0 is uncontrolled.
        export_class: Option<u32>,
        /// What it charges.
        price: Option<At<Price>>,
        /// Pools that it is in.
        pools: Vec<At<String>>,
    }
}

section! {
    /// A key, for a test.
    TestKey {
        /// Its team.
        team: Option<String>,
        /// Country whose law its users are under.
        jurisdiction: Option<At<String>>,
        /// Zone where its data must stay.
        residency: Option<At<String>>,
        /// What every call of it is assumed to hold.
        data: Option<Vec<At<String>>>,
        /// What it is used for.
        purposes: Vec<String>,
        /// Whether its users are screened for export control.
        screened: Option<bool>,
        /// Vendors it may use; all unless given.
        vendors: Option<Vec<At<String>>>,
        /// The most that it pays.
        max_price: Option<At<Price>>,
    }
}

section! {
    /// A call, and what must become of it.
    PolicyTest {
        /// What it shows, in a sentence.
        name: At<String>,
        /// Whose call it is.
        key: At<String>,
        /// The pool that is asked for; every deployment unless given.
        pool: Option<At<String>>,
        /// Data classes beside the key's.
        data: Option<Vec<At<String>>>,
        /// Zone that the call asks for; the key's unless given.
        residency: Option<At<String>>,
        /// Whether the call is for somebody who is not screened.
        unscreened: Option<bool>,
        /// Whether the vendor is asked to store the call.
        stores: Option<bool>,
        /// Whether the vendor is asked to run tools, or to use what it holds.
        hosted_tools: Option<bool>,
        /// Attempts made before.
        attempt: Option<u32>,
        /// Workflow depth.
        depth: Option<u32>,
        /// Prompt tokens.
        input_tokens: Option<u64>,
        /// Answer tokens.
        output_tokens: Option<u64>,
        /// Hour of the day, UTC; 12 unless given.
        hour: Option<u32>,
        /// The deployments that the call may use, in any order.
        candidates: Vec<At<String>>,
        /// For deployments that it may not use, the ids of all policies that forbid it.
        refused: TablesOf<TestRefusal>,
    }
}

section! {
    /// Why a deployment may not be used.
    TestRefusal {
        /// The ids of all policies that forbid it; none where no policy permits it.
        by: Vec<At<String>>,
    }
}
