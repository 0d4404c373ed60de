use super::*;
use proptest::prelude::*;

/// `Err` names the fault and the byte where it shows.
fn verdict(text: &[u8]) -> Result<(), (Fault, usize)> {
    check(text, &mut ()).map_err(|error| (error.fault, error.offset))
}

#[test]
fn every_kind_of_value_is_accepted() {
    for text in [
        r#"{}"#,
        r#" [ ] "#,
        r#"{"a":[1,-0,0.5,1e9,-1.25E-7,true,false,null,"",{"b":[[]]}]}"#,
        "\t\"text\"\n",
        r#""\" \\ \/ \b \f \n \r \t \u0000 \uD83D\uDE00""#,
        "\"Größe 🦀\"",
    ] {
        assert_eq!(verdict(text.as_bytes()), Ok(()), "{text}");
    }
}

#[test]
fn faults_are_named_where_they_show() {
    let wrong = |text: &[u8]| matches!(verdict(text), Err((Fault::Wrong(_), _)));
    for text in [
        r#"{"a":NaN}"#,
        "[01]",
        "[1.]",
        "[.5]",
        "[+1]",
        "[1e]",
        "[1,]",
        r#"{"a":1,}"#,
        r#"{a:1}"#,
        r#"{"a" 1}"#,
        "[1 2]",
        "[1}",
        r#"{"a":1]"#,
        "{} {}",
        r#""\x""#,
        r#""\u12g4""#,
        r#""\uD83D""#,
        r#""\uD83D\u0041""#,
        r#""\uDE00""#,
        "\"line\nbreak\"",
        "'single'",
        "// no",
    ] {
        assert!(wrong(text.as_bytes()), "{text}");
    }
    assert!(wrong(b"\"\xff\""));
    assert!(wrong(b"\"\xed\xa0\x80\""), "a surrogate in UTF-8");
    for text in ["", " ", "{", "[1", r#"{"a""#, r#"{"a":"#, r#"{"a":"b"#, "tru", "-", r#""\u12"#] {
        assert_eq!(verdict(text.as_bytes()), Err((Fault::Cut, text.len())), "{text}");
    }
}

#[test]
fn nesting_is_bounded() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert_eq!(verdict(nested(DEPTH_MAX).as_bytes()), Ok(()));
    assert_eq!(verdict(nested(DEPTH_MAX + 1).as_bytes()), Err((Fault::TooDeep, DEPTH_MAX)));
    assert_eq!(verdict("[{\"a\":".repeat(100_000).as_bytes()), Err((Fault::TooDeep, DEPTH_MAX / 2 * 6)));
}

/// Texts that are JSON or nearly so.
fn nearly_json() -> impl Strategy<Value = Vec<u8>> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        any::<bool>().prop_map(|value| value.to_string()),
        any::<i64>().prop_map(|value| value.to_string()),
        any::<f32>().prop_map(|value| serde_json::Value::from(value).to_string()),
        any::<String>().prop_map(|value| serde_json::Value::from(value).to_string()),
        r#""(\\[nrt"\\/bfu]|\\u[0-9a-fD-F]{4}|[ -!#-~])*""#,
    ];
    let tree = leaf.prop_recursive(6, 48, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(|items| format!("[{}]", items.join(" ,"))),
            prop::collection::vec((any::<String>(), inner), 0..6).prop_map(|members| {
                let members: Vec<_> = members
                    .into_iter()
                    .map(|(name, value)| format!("{} : {value}", serde_json::Value::from(name)))
                    .collect();
                format!("{{{}}}", members.join(","))
            }),
        ]
    });
    let dents = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3);
    (tree, dents).prop_map(|(tree, dents)| {
        let mut bytes = tree.into_bytes();
        for (index, byte) in dents {
            let at = index.index(bytes.len());
            bytes[at] = byte;
        }
        bytes
    })
}

proptest! {
    #[test]
    fn it_agrees_with_serde_json(text in nearly_json()) {
        let other = serde_json::from_slice::<serde_json::Value>(&text);
        // serde_json refuses numbers that no double holds; the grammar has no such bound
        let beyond_double = other.as_ref().is_err_and(|error| error.to_string().starts_with("number out of range"));
        if !beyond_double {
            prop_assert_eq!(check(&text, &mut ()).is_ok(), other.is_ok(), "{}", String::from_utf8_lossy(&text));
        }
    }

    #[test]
    fn it_never_panics(text in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = check(&text, &mut ());
    }
}
