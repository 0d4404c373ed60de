//! What changes in files serves a moment later, or is refused with the reason while the old generation serves on.

use crate::support::client::{Begun, Client, chat_body};
use crate::support::proxy::{CREDENTIAL, KEY, Plan, Proxy};
use backstay::demo::certificates::LOOPBACK_NAMES;
use backstay::demo::vendor::Setup;
use backstay::dialect::Dialect;
use std::fs;
use std::os::unix::fs::symlink;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Barrier;

const CONFIG: &str = "backstay.toml";
const PERMIT: &str = "@id(\"all\")\npermit (principal, action == Action::\"call\", resource);\n";
const NOT_FIRST: &str = "@id(\"not-first\")\nforbid (principal, action == Action::\"call\", resource) when { resource.vendor == Vendor::\"first\" };\n";

fn plan() -> Plan {
    Plan::two(Dialect::OpenaiChat).policy("base.cedar", PERMIT)
}

/// Streams of a second or so: long enough for a reload in between.
fn slow(mut setup: Setup) -> Setup {
    setup.script.words = 30;
    setup.script.pause = Duration::from_millis(40);
    setup
}

async fn served_by(proxy: &Proxy) -> String {
    let answer = proxy.client().chat(false).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.header("x-backstay-served-by").to_owned()
}

/// A stream whose first bytes have come.
async fn stream(proxy: &Proxy) -> Begun {
    let mut stream = proxy.client().begin("/v1/chat/completions", &chat_body(true)).await;
    assert_eq!(stream.status(), 200);
    stream.next().await;
    stream
}

/// Makes the change: it is refused, with these words, and everything is as before.
async fn refused(proxy: &Proxy, kind: &str, words: &[&str], change: impl FnOnce(&Proxy)) {
    let series = format!("backstay_reload_total{{file=\"{kind}\",result=\"rejected\"}}");
    let (generation, before) = (proxy.generation(), proxy.metric(&series).await);
    let last = proxy.change(change).await;
    let said = last.diagnostics.join("\n");
    assert!(!last.accepted, "accepted instead of refused for {words:?}: {said}");
    for word in words {
        assert!(said.contains(word), "{word:?} is not in: {said}");
    }
    assert_eq!(proxy.generation(), generation);
    assert_eq!(proxy.metric(&series).await, before + 1.0, "{}", proxy.admin("/metrics").await);
    let status = proxy.status().await;
    assert_eq!(status["last_reload"]["accepted"], false, "{status}");
    assert!(status["last_reload"]["diagnostics"].to_string().contains(words[0]), "{status}");
    assert_eq!(proxy.client().chat(false).await.status, 200);
}

async fn accepted(proxy: &Proxy, change: impl FnOnce(&Proxy)) {
    let last = proxy.change(change).await;
    assert!(last.accepted, "{}", last.diagnostics.join("\n"));
}

#[tokio::test]
async fn f_140_a_config_that_is_wrong_is_refused_with_its_place_and_the_old_one_serves() {
    let proxy = plan().start().await;
    let good = proxy.read(CONFIG);
    let lines = good.lines().count();
    for (wrong, words) in [
        ("[pool.other\n", vec!["backstay.toml:"]),
        ("[pool.other]\ndeployments = [\"first/m\"]\ncolour = \"red\"\n", vec!["backstay.toml:", "colour"]),
        ("[pool.smart]\ndeployments = [\"first/m\"]\n", vec!["backstay.toml:", "duplicate"]),
        ("[pool.other]\ndeployments = [\"nobody/m\"]\n", vec!["backstay.toml:", "nobody"]),
        ("[pool.other]\ndeployments = 7\n", vec!["backstay.toml:", "expected a list"]),
        ("[key.other]\nsecret = { file = \"secrets/app\" }\nmodels = [\"none\"]\n", vec!["backstay.toml:", "none"]),
    ] {
        refused(&proxy, "config", &words, |proxy| proxy.write(CONFIG, &format!("{good}\n{wrong}"))).await;
        let said = proxy.app.reloader.last().unwrap().diagnostics.join("\n");
        let place = (lines..lines + 6).any(|line| said.contains(&format!("backstay.toml:{line}:")));
        assert!(place, "no place beyond line {lines} in: {said}");
    }
    accepted(&proxy, |proxy| proxy.write(CONFIG, &good)).await;
    assert_eq!(proxy.generation(), 1, "it is what served all the time");
    assert_eq!(proxy.metric("backstay_last_reload_accepted").await, 1.0);
    accepted(&proxy, |proxy| proxy.write(CONFIG, &format!("{good}\n[pool.other]\ndeployments = [\"second/m\"]\n")))
        .await;
    assert_eq!((proxy.generation(), proxy.status().await["generation"].as_u64()), (2, Some(2)));
    assert_eq!(proxy.metric("backstay_snapshot_generation").await, 2.0);
}

#[tokio::test]
async fn f_142_a_file_that_is_written_slowly_serves_once_it_is_whole() {
    let proxy = plan().start().await;
    let (good, added) = (proxy.read(CONFIG), "\n[pool.other]\ndeployments = [\"second/m\"]");
    let mut outcomes = proxy.app.reloader.outcomes();
    let mut client = proxy.client().kept();
    // no beginning of what is added compiles: however long the writer pauses, the old config serves until the last byte
    for end in (1..added.len()).step_by(3).chain([added.len()]) {
        fs::write(proxy.path(CONFIG), format!("{good}{}", &added[..end])).unwrap();
        assert_eq!(client.post("/v1/chat/completions", &chat_body(false)).await.status, 200);
    }
    while proxy.generation() == 1 {
        outcomes.changed().await.unwrap();
    }
    assert_eq!(proxy.generation(), 2);
    assert_eq!(proxy.metric("backstay_reload_total{file=\"all\",result=\"accepted\"}").await, 1.0);
}

#[tokio::test]
async fn f_142_editors_leave_their_own_files_and_swap_the_real_one() {
    let proxy = plan().start().await;
    let good = proxy.read(CONFIG);
    for temporary in [
        "4913",
        ".backstay.toml.swp",
        "backstay.toml~",
        "#backstay.toml#",
        "policies/.base.cedar.swp",
        "policies/base.cedar~",
    ] {
        proxy.write(temporary, "[this is nothing");
        fs::remove_file(proxy.path(temporary)).unwrap();
    }
    accepted(&proxy, |proxy| {
        proxy.write("backstay.toml.new", &format!("{good}\n[pool.other]\ndeployments = [\"second/m\"]\n"));
        fs::rename(proxy.path("backstay.toml.new"), proxy.path(CONFIG)).unwrap();
    })
    .await;
    accepted(&proxy, |proxy| {
        fs::rename(proxy.path(CONFIG), proxy.path("backstay.toml~")).unwrap();
        proxy.write(CONFIG, &good);
    })
    .await;
    assert_eq!(proxy.generation(), 3);
}

#[tokio::test]
async fn f_142_a_config_map_is_swapped_two_links_up() {
    let proxy = plan().start().await;
    accepted(&proxy, |proxy| {
        // as the kubelet does it: visible names lead through `..data` to a folder of their generation
        proxy.write("policies/..one/base.cedar", &format!("{PERMIT}{NOT_FIRST}"));
        symlink("..one", proxy.path("policies/..data")).unwrap();
        symlink("..data/base.cedar", proxy.path("policies/link")).unwrap();
        fs::rename(proxy.path("policies/link"), proxy.path("policies/base.cedar")).unwrap();
    })
    .await;
    assert_eq!(served_by(&proxy).await, "second/model-of-second");
    accepted(&proxy, |proxy| {
        proxy.write("policies/..two/base.cedar", PERMIT);
        symlink("..two", proxy.path("policies/..data_tmp")).unwrap();
        fs::rename(proxy.path("policies/..data_tmp"), proxy.path("policies/..data")).unwrap();
        fs::remove_dir_all(proxy.path("policies/..one")).unwrap();
    })
    .await;
    assert_eq!(served_by(&proxy).await, "first/model-of-first");
    assert_eq!(proxy.generation(), 3);
}

#[tokio::test]
async fn f_143_streams_outlive_the_deployment_that_a_reload_removes() {
    let proxy = plan().setup(0, slow).start().await;
    let mut streams = Vec::new();
    for _ in 0..5 {
        streams.push(stream(&proxy).await);
    }
    accepted(&proxy, |proxy| proxy.edit(CONFIG, "[\"first/model-of-first\", ", "[")).await;
    assert_eq!(served_by(&proxy).await, "second/model-of-second");
    for stream in streams {
        let answer = stream.finish().await;
        assert_eq!((answer.clean, answer.said()), (true, proxy.vendors[0].text()));
    }
    assert_eq!(proxy.calls(), [5, 1]);
}

/// The certificate that new handshakes see.
async fn shown(proxy: &Proxy) -> Vec<u8> {
    proxy.client().connect().await.get_ref().1.peer_certificates().unwrap()[0].to_vec()
}

#[tokio::test]
async fn f_144_a_certificate_that_is_no_good_is_refused_and_the_old_one_shown() {
    let proxy = plan().start().await;
    let (before, good_pem, good_key) =
        (shown(&proxy).await, proxy.read("certs/server.pem"), proxy.read("certs/server.key"));
    let fresh = proxy.authority.issue(&LOOPBACK_NAMES).unwrap();
    let expired = proxy.authority.issue_until(&LOOPBACK_NAMES, jiff::civil::date(2021, 1, 1)).unwrap();
    let both = |proxy: &Proxy, pem: &str, key: &str| {
        proxy.write("certs/server.pem", pem);
        proxy.write("certs/server.key", key);
    };
    refused(&proxy, "config", &["do not go together", "backstay.toml:"], |proxy| {
        proxy.write("certs/server.pem", &fresh.chain_pem)
    })
    .await;
    refused(&proxy, "config", &["expired"], |proxy| both(proxy, &expired.chain_pem, &expired.key_pem)).await;
    refused(&proxy, "config", &["do not go together"], |proxy| both(proxy, &good_pem, &fresh.key_pem)).await;
    refused(&proxy, "config", &["server.pem"], |proxy| both(proxy, "", &good_key)).await;
    refused(&proxy, "config", &["server.key"], |proxy| both(proxy, &good_pem, &good_key[..40])).await;
    refused(&proxy, "config", &["server.pem"], |proxy| {
        proxy.write("certs/server.key", &good_key);
        fs::remove_file(proxy.path("certs/server.pem")).unwrap();
    })
    .await;
    assert_eq!(shown(&proxy).await, before);

    let mut open = proxy.client().kept();
    assert_eq!(open.post("/v1/chat/completions", &chat_body(false)).await.status, 200);
    accepted(&proxy, |proxy| both(proxy, &fresh.chain_pem, &fresh.key_pem)).await;
    assert_ne!(shown(&proxy).await, before);
    assert_eq!(open.post("/v1/chat/completions", &chat_body(false)).await.status, 200, "open connections live on");
    assert!(
        proxy
            .metric(&format!("backstay_cert_expiry_seconds{{cert=\"{}\"}}", proxy.path("certs/server.pem").display()))
            .await
            > 0.0
    );
}

#[tokio::test]
async fn f_145_a_storm_of_asks_is_one_reload() {
    let proxy = plan().start().await;
    let good = proxy.read(CONFIG);
    for generation in [2, 3] {
        accepted(&proxy, |proxy| {
            proxy.write(CONFIG, &format!("{good}\n[pool.other{generation}]\ndeployments = [\"second/m\"]\n"));
            for _ in 0..1_000 {
                proxy.app.reloader.ask();
            }
        })
        .await;
        assert_eq!(proxy.generation(), generation);
    }
    assert_eq!(proxy.metric("backstay_reload_total{file=\"all\",result=\"accepted\"}").await, 2.0);
}

#[tokio::test]
async fn the_next_request_obeys_an_edited_policy_and_a_wrong_one_changes_nothing() {
    let proxy = plan().start().await;
    assert_eq!(served_by(&proxy).await, "first/model-of-first");
    accepted(&proxy, |proxy| proxy.write("policies/more.cedar", NOT_FIRST)).await;
    assert_eq!(served_by(&proxy).await, "second/model-of-second");
    for (wrong, words) in [
        ("forbid (principal, action, resource", "more.cedar:"),
        (
            "@id(\"x\")\nforbid (principal, action == Action::\"call\", resource) when { resource.colour == 1 };",
            "colour",
        ),
    ] {
        refused(&proxy, "policy", &[words, "more.cedar:"], |proxy| proxy.write("policies/more.cedar", wrong)).await;
        assert_eq!(served_by(&proxy).await, "second/model-of-second");
    }
    accepted(&proxy, |proxy| fs::remove_file(proxy.path("policies/more.cedar")).unwrap()).await;
    assert_eq!(served_by(&proxy).await, "first/model-of-first");
}

#[tokio::test]
async fn f_089_policies_that_are_gone_or_unreadable_permit_no_more_than_before() {
    let proxy = plan().policy("more.cedar", NOT_FIRST).start().await;
    let obeys = async || assert_eq!(served_by(&proxy).await, "second/model-of-second");
    refused(&proxy, "policy", &["policies"], |proxy| fs::rename(proxy.path("policies"), proxy.path("away")).unwrap())
        .await;
    obeys().await;
    refused(&proxy, "policy", &["policies"], |proxy| fs::create_dir(proxy.path("policies")).unwrap()).await;
    obeys().await;
    refused(&proxy, "policy", &["base.cedar", "UTF-8"], |proxy| {
        fs::write(proxy.path("policies/base.cedar"), [PERMIT.as_bytes(), b"\xff\xfe"].concat()).unwrap();
    })
    .await;
    obeys().await;
    refused(&proxy, "policy", &["base.cedar", "larger than"], |proxy| {
        proxy.write("policies/base.cedar", &" ".repeat(17 << 20))
    })
    .await;
    obeys().await;
    refused(&proxy, "policy", &["base.cedar"], |proxy| {
        fs::remove_file(proxy.path("policies/base.cedar")).unwrap();
        symlink("../away/base.cedar", proxy.path("policies/base.cedar")).unwrap();
    })
    .await;
    obeys().await;
    accepted(&proxy, |proxy| {
        fs::remove_dir_all(proxy.path("policies")).unwrap();
        fs::rename(proxy.path("away"), proxy.path("policies")).unwrap();
    })
    .await;
    accepted(&proxy, |proxy| fs::remove_file(proxy.path("policies/more.cedar")).unwrap()).await;
    assert_eq!(served_by(&proxy).await, "first/model-of-first", "the folder that came back is watched");
}

#[tokio::test]
async fn a_credential_that_was_rotated_reaches_the_vendor_and_a_key_that_was_rotated_counts() {
    let proxy = plan().start().await;
    let credential = |proxy: &Proxy| {
        let entries = proxy.vendors[0].log().entries();
        entries.calls().last().unwrap().header("authorization").unwrap().to_owned()
    };
    served_by(&proxy).await;
    assert_eq!(credential(&proxy), format!("Bearer {CREDENTIAL}"));
    accepted(&proxy, |proxy| proxy.write("secrets/vendor", "sk-vendor-rotated-1")).await;
    served_by(&proxy).await;
    assert_eq!(credential(&proxy), "Bearer sk-vendor-rotated-1");

    let began = Instant::now();
    accepted(&proxy, |proxy| proxy.write("secrets/app", "sk-test-rotated-77aa")).await;
    println!("a rotated key counts after {} ms", began.elapsed().as_millis());
    assert_eq!(proxy.client().chat(false).await.status, 401);
    assert_eq!(proxy.client().key("sk-test-rotated-77aa").chat(false).await.status, 200);
    assert!(!proxy.admin("/status").await.contains(KEY) && !proxy.log.text().contains("sk-"));
}

#[tokio::test]
async fn a_price_book_that_changes_counts_and_a_wrong_one_does_not() {
    let book = |output: &str| format!("[price.\"first/model-of-first\"]\ninput = 1.0\noutput = {output}\n");
    let proxy = plan().file("prices.toml", &book("50.0")).start().await;
    let cost = async || proxy.client().chat(false).await.header("x-backstay-cost-usd").parse::<f64>().unwrap();
    let before = cost().await;
    refused(&proxy, "prices", &["prices.toml:"], |proxy| proxy.write("prices.toml", &book("\"free\""))).await;
    assert_eq!(cost().await, before);
    accepted(&proxy, |proxy| proxy.write("prices.toml", &book("2.0"))).await;
    assert!(cost().await < before);
}

#[tokio::test]
async fn two_hundred_open_streams_survive_a_reload() {
    let long = |setup: Setup| {
        let mut setup = slow(setup);
        setup.script.words = 60;
        setup.script.pause = Duration::from_millis(100);
        setup
    };
    let proxy = plan().setup(0, long).patient().start().await;
    let open = Arc::new(Barrier::new(201));
    let reader = |client: Client, open: Arc<Barrier>| async move {
        let mut stream = client.begin("/v1/chat/completions", &chat_body(true)).await;
        stream.next().await;
        open.wait().await;
        stream.finish().await
    };
    let readers: Vec<_> = (0..200).map(|_| tokio::spawn(reader(proxy.client(), Arc::clone(&open)))).collect();
    open.wait().await;
    let issued = proxy.authority.issue(&LOOPBACK_NAMES).unwrap();
    let began = Instant::now();
    accepted(&proxy, |proxy| {
        proxy.write("policies/more.cedar", NOT_FIRST);
        proxy.edit(CONFIG, "residency = \"any\"", "residency = \"any\"\nscreened = true");
        proxy.write("certs/server.pem", &issued.chain_pem);
        proxy.write("certs/server.key", &issued.key_pem);
    })
    .await;
    assert_eq!(served_by(&proxy).await, "second/model-of-second");
    println!("from save to obedience, with 200 open streams: {} ms", began.elapsed().as_millis());
    assert!(readers.iter().all(|reader| !reader.is_finished()), "the streams were to be open all the while");
    for reader in readers {
        let answer = reader.await.unwrap();
        assert_eq!((answer.status, answer.clean, answer.said()), (200, true, proxy.vendors[0].text()));
    }
    assert_eq!(proxy.calls(), [200, 1]);
    assert!(proxy.log.wait_for(201).await.iter().all(|line| line["outcome"] == "served"));
}
