//! The operator takes a tenant's journal from its file: what the tenant itself would give, whether or not it is served.

use super::*;
use countersign_domain::bundle::Profile;
use countersign_server::export::{self, ExportError};
use countersign_verify::{Options, Verdict, verify};

impl Data {
    fn exporting(&self, to: &Path, more: &[&str]) -> Vec<String> {
        let (data, to) = (self.text(), text(to));
        let export = [
            "export",
            "--data",
            &data,
            "--tenant",
            &self.tenant,
            "--output",
            &to,
        ];
        export.iter().chain(more).map(ToString::to_string).collect()
    }

    fn export(&self, to: &Path, more: &[&str]) -> Output {
        ran(&self.exporting(to, more))
    }
}

fn ran(arguments: &[String]) -> Output {
    run(&arguments.iter().map(String::as_str).collect::<Vec<_>>(), "")
}

/// Holds a file against what the command said of it, as an auditor who has the log's key does, and gives its bytes.
fn examined(to: &Path, exported: &Value) -> Vec<u8> {
    let bundle = fs::read(to).unwrap();
    let options = Options {
        trust: Some(exported["logKey"].as_str().unwrap().parse().unwrap()),
        ..Options::default()
    };
    let report = verify(&bundle[..], &options).unwrap();
    assert_eq!(report.verdict, Verdict::Whole, "{report}");
    let about = report.about.unwrap();
    assert!(about.key_checked);
    assert_eq!(exported["size"], about.size);
    assert_eq!(exported["root"], about.root.to_string());
    bundle
}

/// The names of what is in a folder.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operators_bundle_is_the_tenants_own_byte_for_byte_while_it_is_served_and_after_it_was_killed() {
    let data = Data::new();
    let key = data.key();
    let mut running = data.serve(&[]);
    let aside = tempfile::tempdir().unwrap();
    for (round, more, profile) in [
        (0, &[][..], "full"),
        (1, &["--redacted"][..], "redacted"),
        (2, &[][..], "full"),
    ] {
        let to = aside.path().join(format!("{round}.bundle"));
        let load = async {
            for number in 0..20 {
                let asked = format!("{TEXT} {round} {number}");
                assert_eq!(running.propose(&key, &data.tenant, &asked).await.0, 200);
            }
        };
        let arguments = data.exporting(&to, more);
        let exporting = tokio::task::spawn_blocking(move || ran(&arguments));
        let (output, ()) = tokio::join!(async { exporting.await.unwrap() }, load);
        let exported = line(&output);
        let bundle = examined(&to, &exported);
        let query = format!("?profile={profile}&size={}", exported["size"]);
        assert!(
            bundle == running.bundle(&data.tenant, &query).await,
            "one journal, size and profile has one bundle, whoever makes it"
        );
        assert_eq!(
            fs::metadata(&to).unwrap().permissions().mode() & 0o777,
            0o600,
            "what people wrote is for who asked for it"
        );
        if round == 1 {
            assert!(!String::from_utf8(bundle).unwrap().contains("Call the bank"));
        }

        // Killed: what it had acknowledged is in a write-ahead log that nobody has cleared away.
        running.signal("KILL");
        assert!(!running.ended().0);
        let to = aside.path().join(format!("{round}-killed.bundle"));
        let exported = line(&data.export(&to, more));
        let bundle = examined(&to, &exported);
        running = data.serve(&[]);
        let query = format!("?profile={profile}&size={}", exported["size"]);
        assert!(
            bundle == running.bundle(&data.tenant, &query).await,
            "the server goes on from what was exported"
        );
    }
    running.signal("TERM");
    assert!(running.ended().0);
    let to = aside.path().join("stopped.bundle");
    examined(&to, &line(&data.export(&to, &[])));
}

#[test]
fn without_a_name_the_file_says_whose_it_is_and_how_much_in_the_folder_where_one_stands() {
    let data = Data::new();
    let aside = tempfile::tempdir().unwrap();
    let copy = data.folder.path().join("copy");
    line(&data.backup(&copy));
    let from = text(&copy);
    let arguments = ["export", "--data", &from, "--tenant", &data.tenant];
    let exported = line(&run_in(aside.path(), &arguments, ""));
    let name = format!("countersign-{}-{}-full.bundle", data.tenant, exported["size"]);
    assert_eq!(exported["file"], name);
    let bundle = examined(&aside.path().join(&name), &exported);
    let to = aside.path().join("of the data.bundle");
    line(&data.export(&to, &[]));
    assert!(
        bundle == fs::read(&to).unwrap(),
        "a copy is as good as its folder"
    );
    let again = refusal(&run_in(aside.path(), &arguments, ""));
    assert!(again.contains("--output"), "it says what to do instead: {again}");
}

#[test]
fn nothing_is_written_over_and_nothing_is_left_of_what_was_not_finished() {
    let data = Data::new();
    let aside = tempfile::tempdir().unwrap();
    let to = aside.path().join("thesis.txt");
    fs::write(&to, "years of work").unwrap();
    let refused = refusal(&data.export(&to, &[]));
    assert!(refused.contains("there is something at"), "{refused}");
    assert_eq!(fs::read_to_string(&to).unwrap(), "years of work");

    let tenant = data.tenant.parse().unwrap();
    let export = |to: &Path, go_on: &mut dyn FnMut(u64, u64) -> bool| {
        let to = Some(to.to_owned());
        export::export(&data.path(), tenant, Profile::Full, to, go_on)
    };
    let stopped = aside.path().join("stopped.bundle");
    let refused = export(&stopped, &mut |entries, all| entries < all);
    assert!(matches!(refused, Err(ExportError::Stopped)), "{refused:?}");
    assert_eq!(
        names(aside.path()),
        ["thesis.txt"],
        "nor a half under another name"
    );

    let late = aside.path().join("late.bundle");
    let refused = export(&late, &mut |_, _| {
        fs::write(&late, "somebody was quicker").unwrap();
        true
    });
    assert!(matches!(refused, Err(ExportError::Taken(_))), "{refused:?}");
    assert_eq!(fs::read_to_string(&late).unwrap(), "somebody was quicker");
    assert_eq!(names(aside.path()).len(), 2);
}

#[test]
fn a_wrong_folder_a_wrong_tenant_and_a_damaged_file_are_refused_with_the_way_out() {
    let data = Data::new();
    let aside = tempfile::tempdir().unwrap();
    let to = aside.path().join("acme.bundle");
    let stranger = "00000000-0000-4000-8000-000000000000";
    let elsewhere = text(&aside.path().join("nothing"));
    for folder in [&text(aside.path()), &elsewhere] {
        let refused = refusal(&run(
            &[
                "export",
                "--data",
                folder,
                "--tenant",
                stranger,
                "--output",
                &text(&to),
            ],
            "",
        ));
        assert!(refused.contains("holds no server's data"), "{refused}");
    }
    assert_eq!(
        names(aside.path()).len(),
        0,
        "a folder that is not there is not made"
    );

    let known = data.tenant.clone();
    let data = Data {
        folder: data.folder,
        tenant: stranger.to_owned(),
    };
    let refused = refusal(&data.export(&to, &[]));
    assert!(
        refused.contains(stranger) && refused.contains(&known) && refused.contains("Acme"),
        "{refused}"
    );

    let data = Data {
        folder: data.folder,
        tenant: known,
    };
    let file = data.path().join("tenants").join(&data.tenant).join("tenant.db");
    let swap_first_version = || {
        let swap = "UPDATE refinery_schema_history SET version = 99 - version WHERE version IN (1, 98)";
        let database = rusqlite::Connection::open(&file).unwrap();
        assert_eq!(database.execute(swap, []).unwrap(), 1);
    };
    swap_first_version();
    let refused = refusal(&data.export(&to, &[]));
    assert!(refused.contains("newer version"), "{refused}");
    swap_first_version();
    let mut changed = fs::read(&file).unwrap();
    let name = changed.windows(4).rposition(|at| at == b"Acme").unwrap();
    changed[name..name + 4].copy_from_slice(b"Evil");
    fs::write(&file, &changed).unwrap();
    let refused = refusal(&data.export(&to, &[]));
    assert!(refused.contains("not in order"), "{refused}");
    fs::remove_file(&file).unwrap();
    refusal(&data.export(&to, &[]));
    assert!(!file.exists(), "looking does not make a file");
    assert_eq!(names(aside.path()).len(), 0, "of that no bundle is made");
}
