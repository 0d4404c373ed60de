//! A thousand policies are compiled beside the traffic: calls go on meanwhile, and none that begins afterwards disobeys.

use crate::support::proxy::Plan;
use backstay::dialect::Dialect;
use std::fmt::Write as _;
use std::time::Instant;

const PERMIT: &str = "@id(\"all\")\npermit (principal, action == Action::\"call\", resource);\n";
const NOT_FIRST: &str =
    "@id(\"not-first\")\nforbid (principal, action == Action::\"call\", resource in Vendor::\"first\");\n";
const TEAMS: usize = 100;

/// Ten policies for each of a hundred teams.
fn thousand() -> String {
    let mut text = String::new();
    for team in 0..TEAMS {
        for number in 0..10 {
            let _ = writeln!(
                text,
                "@id(\"team{team}-{number}\")\nforbid (principal in Team::\"team{team}\", action == Action::\"call\", resource)\n\
                 when {{ context.data.contains(Data::\"personal\") && resource.export_class > {number} }};"
            );
        }
    }
    text
}

#[tokio::test]
async fn f_090_a_thousand_policies_are_reloaded_beside_the_traffic() {
    let teams: String = (0..TEAMS).map(|team| format!("[team.team{team}]\n")).collect();
    let plan = Plan::two(Dialect::OpenaiChat).policy("base.cedar", PERMIT).policy("many.cedar", &thousand());
    let proxy = plan.with(&teams).start().await;
    let client = proxy.client();
    let call = async || {
        let (generation, began) = (proxy.generation(), Instant::now());
        let answer = client.chat(false).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        (generation, answer.header("x-backstay-served-by").to_owned(), began.elapsed())
    };
    let before = call().await;
    assert_eq!(before.1, "first/model-of-first");

    let saved = Instant::now();
    proxy.write("policies/more.cedar", NOT_FIRST);
    let (mut meanwhile, mut slowest) = (0, std::time::Duration::ZERO);
    loop {
        let (generation, served_by, took) = call().await;
        if served_by == "second/model-of-second" {
            break;
        }
        assert_eq!(generation, before.0, "a call that began after the swap disobeyed");
        (meanwhile, slowest) = (meanwhile + 1, slowest.max(took));
    }
    println!(
        "from save to obedience with 1,000 policies: {} ms; {meanwhile} calls meanwhile, the slowest of them {} ms",
        saved.elapsed().as_millis(),
        slowest.as_millis()
    );
    assert!(meanwhile > 0, "no call was answered while the policies were compiled");
    for _ in 0..20 {
        assert_eq!(call().await.1, "second/model-of-second");
    }
}
