//! Frameworks that people build applications with, each over every dialect that it speaks.

use super::{NODE, PYTHON, SUITE_WITHIN, environment, installed_suites, proxy, run, scripts};
use backstay::dialect::Dialect;
use std::process::Command;

macro_rules! frameworks {
    ($($name:ident: $script:literal, $vendor:ident, $checks:literal;)+) => {
        $(#[tokio::test] async fn $name() { suite($script, Dialect::$vendor, $checks).await; })+
    };
}

frameworks! {
    langchain_with_openai_vendors: "langchain_suite.py", OpenaiChat, 10;
    langchain_with_anthropic_vendors: "langchain_suite.py", Anthropic, 10;
    pydantic_ai_with_openai_vendors: "pydantic_ai_suite.py", OpenaiChat, 10;
    pydantic_ai_with_anthropic_vendors: "pydantic_ai_suite.py", Anthropic, 10;
    vercel_ai_with_openai_vendors: "ai_suite.mjs", OpenaiChat, 12;
    vercel_ai_with_anthropic_vendors: "ai_suite.mjs", Anthropic, 12;
}

/// Runs a suite in front of vendors of one dialect; so many checks must have passed.
async fn suite(script: &'static str, vendor: Dialect, checks: usize) {
    if !installed_suites() {
        return;
    }
    let proxy = proxy(vendor).await;
    let environment = environment(&proxy, vendor);
    let asked = move || {
        let (mut command, script) = if script.ends_with(".mjs") {
            (Command::new("node"), NODE.join(script))
        } else {
            (Command::new(&*PYTHON), scripts().join(script))
        };
        command.arg(script).env_clear().envs(environment);
        run(command, SUITE_WITHIN)
    };
    let (success, said) = tokio::task::spawn_blocking(asked).await.unwrap();
    println!("{said}");
    assert!(success, "checks of the suite failed, see above");
    let passed = said.lines().filter(|line| line.starts_with("ok ")).count();
    assert!(passed >= checks, "only {passed} checks ran:\n{said}");
}
