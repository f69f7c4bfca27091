//! Settings that would delete what must be kept: refused wherever they are met. Rows 000-49, 000-50, 000-51, 001-58.

use serde_json::Value;
use tests::Installation;

const OPERATORS: &str = "[catalog]\noperators = \"terraform\"";

fn keep(kind: &str, term: &str) -> String {
    format!("{OPERATORS}\n[settings.retention]\nkeep = {{ \"{kind}\" = \"{term}\" }}")
}

/// The value, the least and the row that demands it are named, whatever is started.
#[tokio::test]
async fn what_must_be_kept_longer_is_refused_at_every_start() {
    let mut ledger = Installation::start().await;
    let package = ledger.path("kinds/house");
    std::fs::create_dir_all(&package).expect("a folder");
    let lamp = include_str!("../../../projections/tests/kinds/lamp.toml");
    std::fs::write(package.join("lamp.toml"), lamp).expect("written");
    let kinds = package.display().to_string();
    for (kind, term, said) in [
        (
            "cluster.provisioning_run",
            "364d",
            ["364d", "365 days", "000-49"],
        ),
        (
            "cluster.apply_evidence",
            "3650d",
            ["3650d", "for ever", "000-50"],
        ),
        (
            "cluster.alert_route",
            "3650d",
            ["3650d", "for ever", "000-51"],
        ),
        ("platform.drift_report", "89d", ["89d", "90 days", "001-58"]),
    ] {
        ledger.configure("ledger.example/main", &keep(kind, term));
        for command in [
            vec!["init"],
            vec!["serve"],
            vec!["catalog", "activate"],
            vec!["catalog", "validate", &kinds, "-o", "json"],
        ] {
            let ran = ledger.run(&command).await.expect(2);
            let all = ran.out + &ran.err;
            for word in said {
                assert!(all.contains(word), "{command:?} {kind}: {word} in\n{all}");
            }
        }
    }
}

/// Row X-06: whoever is not heard of for less than a day is not silent.
#[tokio::test]
async fn a_silence_of_less_than_a_day_is_refused_at_every_start() {
    let mut ledger = Installation::start().await;
    let silent = |span: &str| format!("[settings.publisher]\nsilent_after = \"{span}\"");
    ledger.configure("ledger.example/main", &silent("23h59m"));
    for command in [vec!["init"], vec!["serve"], vec!["catalog", "activate"]] {
        let ran = ledger.run(&command).await.expect(2);
        for word in ["publisher.silent_after", "23h59m", "24h", "0s"] {
            assert!(
                ran.err.contains(word),
                "{command:?}: {word} in\n{}",
                ran.err
            );
        }
    }
    // What serves has read its configuration before that is written anew.
    ledger.configure("ledger.example/main", &silent("24h"));
    let serving = ledger.serve().await;
    for span in ["24h", "0s"] {
        ledger.configure("ledger.example/main", &silent(span));
        ledger.run(["catalog", "activate"]).await.expect(0);
    }
    drop(serving);
}

#[tokio::test]
async fn settings_lengthen_and_set_a_most() {
    let mut ledger = Installation::start().await;
    ledger.configure(
        "ledger.example/main",
        &format!(
            "{OPERATORS}\n[settings.retention]\nnotice = \"0s\"\n\
             keep = {{ \"cluster.provisioning_run\" = \"730d\", \"gitops.commit\" = \"forever\" }}"
        ),
    );
    let serving = ledger.serve().await;
    ledger.run(["catalog", "activate"]).await.expect(0);
    let classes = ledger.ask(["retention", "classes"]).await;
    let class = |kind: &str| -> (String, String, Value) {
        let all = classes.as_array().expect("a list");
        let one = all.iter().find(|one| one["kind"] == kind).expect("there");
        let text = |name: &str| one[name].as_str().expect("a text").to_owned();
        (text("kept"), text("least"), one["rows"].clone())
    };
    let rows = |row: &str| serde_json::json!([row]);
    let run = class("cluster.provisioning_run");
    assert_eq!(run, ("730d".into(), "365d".into(), rows("000-49")));
    let evidence = class("cluster.apply_evidence");
    assert_eq!(
        evidence,
        ("forever".into(), "forever".into(), rows("000-50"))
    );
    assert_eq!(class("gitops.commit").0, "forever");
    assert_eq!(class("gitops.flux").0, "365d");
    assert_eq!(class("platform.drift_report").0, "forever");
    serving.stop().await;
}

#[tokio::test]
async fn holds_are_placed_listed_and_released_by_operators_alone() {
    let mut ledger = Installation::start().await;
    let serving = ledger.serve().await;
    let place = [
        "hold",
        "place",
        "case-1",
        "--kind",
        "platform.environment",
        "--id",
        "production",
        "--reason",
        "audit",
        "--by",
        "alice",
    ];
    // Nobody is an operator yet.
    let ran = ledger.run(place).await.expect(1);
    assert!(
        ran.err.contains("publisher.reserved") && ran.err.contains("operators"),
        "{}",
        ran.err
    );
    ledger.configure("ledger.example/main", OPERATORS);
    ledger.run(["catalog", "activate"]).await.expect(0);
    ledger.run(place).await.expect(0);
    let quarter = [
        "hold", "place", "quarter", "--from", "2026-Q3", "--to", "2026-Q3", "--reason", "audit",
        "--by", "alice",
    ];
    ledger.run(quarter).await.expect(0);
    ledger
        .run(["hold", "place", "nothing", "--reason", "why"])
        .await
        .expect(2);
    // What would keep nothing must not look as if it kept something.
    for (scope, code, said) in [
        (
            ["--from", "2026-Q4", "--to", "2026-Q1"],
            2,
            "--to is before it",
        ),
        (
            ["--kind", "platform.enviroment", "--id", "staging"],
            5,
            "platform.enviroment",
        ),
        (["--incident", "abcdef", "--id", "staging"], 5, "abcdef"),
    ] {
        let place = [
            "hold", "place", "empty", "--reason", "audit", "--by", "alice",
        ];
        let ran = ledger.run(place.iter().chain(&scope)).await.expect(code);
        assert!(ran.err.contains(said), "{scope:?}: {}", ran.err);
    }
    let never = [
        "rule",
        "silence",
        "transition.illegal",
        "--for",
        "9999999d",
        "--reason",
        "x",
        "--by",
        "alice",
    ];
    let said = ledger.run(never).await.expect(2).err;
    assert!(said.contains("rules.off"), "{said}");
    let holds = ledger.ask(["hold", "list"]).await;
    assert_eq!(holds.as_array().map(Vec::len), Some(2), "{holds}");
    assert_eq!(holds[0]["scope"]["id"], "production");
    assert_eq!(holds[1]["from"], "2026-07-01T00:00:00Z");
    assert_eq!(holds[1]["to"], "2026-09-30T23:59:59.999999Z");
    ledger
        .run([
            "hold", "release", "case-1", "--why", "done", "--by", "alice",
        ])
        .await
        .expect(0);
    ledger.run(["hold", "release", "case-1"]).await.expect(5);
    assert_eq!(
        ledger.ask(["hold", "list"]).await.as_array().map(Vec::len),
        Some(1)
    );
    let all = ledger.ask(["hold", "list", "--all"]).await;
    assert_eq!(all[0]["status"], "released");
    serving.stop().await;
}
