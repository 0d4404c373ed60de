//! The list of models, as it is read and as it shows in deployments.

use super::{SMALL, check_files, compile_files};
use crate::call::needs::Need;
use crate::snapshot::deployment::Limits;

/// What the small config's deployment cannot do, of what these tests ask for, and how much it takes.
fn lacks_and_limits(model: &str, table: &str, models: Option<&str>) -> (Vec<&'static str>, Limits) {
    let config = SMALL.replace("openai/gpt-5.5", &format!("openai/{model}"));
    let config = format!("{config}{}", table.replace("MODEL", &format!("openai/{model}")));
    let mut files = vec![("backstay.toml", config.as_str()), ("policies/base.cedar", crate::policy::BASE)];
    files.extend(models.map(|models| ("models.json", models)));
    let (snapshot, _) = compile_files(&files).unwrap_or_else(|found| panic!("{found:?}"));
    let deployment = &snapshot.deployments[0];
    let asked = [Need::Tools, Need::Images, Need::Reasoning, Need::Temperature];
    let lacks = asked.into_iter().filter(|need| !deployment.voice.capabilities.has(*need)).map(Need::name).collect();
    (lacks, deployment.limits)
}

#[test]
fn what_a_model_cannot_do_is_read_from_a_dated_list() {
    let check = |(lacks, limits): (Vec<&str>, Limits), expected: &[&str], context, output| {
        assert_eq!((lacks.as_slice(), limits.context, limits.output), (expected, context, output));
    };
    check(lacks_and_limits("gpt-4o-2024-11-20", "", None), &["reasoning"], Some(128_000), Some(16_384));
    check(lacks_and_limits("o3-mini", "", None), &["images", "temperature"], Some(200_000), Some(100_000));
    check(lacks_and_limits("nobody-knows", "", None), &[], None, None);
    let table = "[deployment.\"MODEL\"]\noffers = [\"images\"]\nlacks = [\"tools\"]\ncontext = 9000\n";
    check(lacks_and_limits("o3-mini", table, None), &["tools", "temperature"], Some(9000), Some(100_000));
    let newer = r#"{"snapshot":"2027-01-01","vendors":{"openai":{"o3-mini":{"context":7,"lacks":["reasoning"]}}}}"#;
    check(lacks_and_limits("o3-mini", "", Some(newer)), &["reasoning"], Some(7), None);
}

#[test]
fn a_list_of_models_that_cannot_be_read_is_an_error() {
    let files = [("backstay.toml", SMALL), ("policies/base.cedar", crate::policy::BASE), ("models.json", "{")];
    check_files(&files, &["models.json:0: not a list of models ~ distil-models.py"]);
}
