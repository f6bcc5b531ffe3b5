//! The drill: a data folder is copied while it is served, its server dies, the copy is put back, and a tenant moves to
//! another server. What was proved before is proved after, and everybody who could get in still can.

use super::*;
use countersign_verify::{Options, Verdict, verify};

const TEXT: &str = "create task: Call the bank";

fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

impl Data {
    /// A folder with what was put back or taken in, and its tenant.
    fn of(folder: tempfile::TempDir, tenant: &str) -> Self {
        Self {
            folder,
            tenant: tenant.to_owned(),
        }
    }

    fn backup(&self, to: &Path) -> Output {
        run(&["backup", "--data", &self.text(), "--to", &text(to)], "")
    }

    fn key(&self) -> String {
        line(&self.agent_key("bookkeeper"))["apiKey"]
            .as_str()
            .unwrap()
            .to_owned()
    }
}

fn restore(from: &Path, data: &Path) -> Output {
    run(&["restore", "--from", &text(from), "--data", &text(data)], "")
}

fn adopt(from: &Path, data: &Data, tenant: &str, more: &[&str], stdin: &str) -> Output {
    let (from, data) = (text(from), data.text());
    let arguments = ["adopt", "--from", &from, "--data", &data, "--tenant", tenant];
    run(&[&arguments[..], more].concat(), stdin)
}

impl Running {
    async fn propose(&self, key: &str, tenant: &str, text: &str) -> (u16, Value) {
        let bearer = format!("Bearer {key}");
        let headers = [("authorization", &*bearer), ("x-tenant-id", tenant)];
        let body = json!({"text": text});
        self.call("POST", "/api/assistant/propose", &headers, body).await
    }

    /// The tenant's head and log key, as an owner reads them.
    async fn known(&self, tenant: &str, email: &str, password: &str) -> (Value, Value) {
        let form = json!({"email": email, "password": password});
        let (status, signed_in) = self.call("POST", "/api/auth/sign-in", &[], form).await;
        assert_eq!(status, 200, "{signed_in}");
        let bearer = format!("Bearer {}", signed_in["token"].as_str().unwrap());
        let headers = [("authorization", &*bearer), ("x-tenant-id", tenant)];
        let (_, about) = self.call("GET", "/api/tenant", &headers, Value::Null).await;
        let (_, tasks) = self
            .call("GET", "/api/assistant/proposals?limit=500", &headers, Value::Null)
            .await;
        (about["logKey"].clone(), tasks["proposals"].clone())
    }

    async fn bundle(&self, tenant: &str) -> Vec<u8> {
        let (_, signed_in) = self.sign_in(PASSWORD).await;
        let bearer = format!("Bearer {}", signed_in["token"].as_str().unwrap());
        let (mut sender, connection) = http1::handshake(TokioIo::new(self.connect().await))
            .await
            .unwrap();
        tokio::spawn(connection);
        let export = Request::get("/api/journal/export")
            .header("host", self.address())
            .header("authorization", bearer)
            .header("x-tenant-id", tenant);
        let answer = sender
            .send_request(export.body(Body::empty()).unwrap())
            .await
            .unwrap();
        assert_eq!(answer.status(), 200);
        to_bytes(Body::new(answer.into_body()), 64 << 20)
            .await
            .unwrap()
            .to_vec()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_made_under_load_is_whole_and_goes_on_in_another_place() {
    let data = Data::new();
    let key = data.key();
    let running = data.serve(&[]);
    for number in 0..20 {
        let (status, answer) = running
            .propose(&key, &data.tenant, &format!("{TEXT} {number}"))
            .await;
        assert_eq!(status, 200, "{answer}");
    }
    let aside = tempfile::tempdir().unwrap();
    let to = aside.path().join("copy");
    let backup = async {
        let (from, to) = (data.text(), text(&to));
        tokio::task::spawn_blocking(move || run(&["backup", "--data", &from, "--to", &to], ""))
            .await
            .unwrap()
    };
    let load = async {
        for number in 20..60 {
            let (status, _) = running
                .propose(&key, &data.tenant, &format!("{TEXT} {number}"))
                .await;
            assert_eq!(status, 200, "nobody waits for a copy");
        }
    };
    let (output, ()) = tokio::join!(backup, load);
    let made = line(&output);
    let size = made["tenants"][0]["size"].as_u64().unwrap();
    assert!(size > 40, "what was there when it began is in it: {made}");
    let (log_key, _) = running.known(&data.tenant, "ada@acme.example", PASSWORD).await;
    assert_eq!(made["tenants"][0]["logKey"], log_key);
    let mode = fs::metadata(&to).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700, "it has the key that signs the log");
    let again = refusal(&data.backup(&to));
    assert!(again.contains("already"), "a copy is never written over: {again}");
    // The server and its disk are gone.
    drop(running);
    let tenant = data.tenant.clone();
    drop(data);

    let place = Data::of(tempfile::tempdir().unwrap(), &tenant);
    assert_eq!(line(&restore(&to, &place.path())), made);
    let running = place.serve(&[]);
    let (same_key, proposals) = running.known(&tenant, "ada@acme.example", PASSWORD).await;
    assert_eq!(same_key, log_key);
    assert!(proposals.as_array().unwrap().len() >= 20);
    let (status, _) = running
        .propose(&key, &tenant, "create task: After the fire")
        .await;
    assert_eq!(status, 200, "the agent's key still opens");
    let bundle = running.bundle(&tenant).await;
    let report = verify(
        &bundle[..],
        &Options {
            trust: Some(log_key.as_str().unwrap().parse().unwrap()),
            ..Options::default()
        },
    );
    let report = report.unwrap();
    assert_eq!(report.verdict, Verdict::Whole, "{report}");
    drop(running);
    let refused = refusal(&restore(&to, &place.path()));
    assert!(refused.contains("holds a server's data already"), "{refused}");
}

#[test]
fn a_copy_that_is_damaged_or_unfinished_is_refused_and_nothing_of_it_is_served() {
    let data = Data::new();
    let aside = tempfile::tempdir().unwrap();
    let to = aside.path().join("copy");
    line(&data.backup(&to));
    let file = to.join("tenants").join(&data.tenant).join("tenant.db");
    let whole = fs::read(&file).unwrap();
    let name = whole.windows(4).rposition(|at| at == b"Acme").unwrap();
    let mut changed = whole.clone();
    changed[name..name + 4].copy_from_slice(b"Evil");
    let manifest = to.join("backup.json");
    let text_of = fs::read_to_string(&manifest).unwrap();
    let place = tempfile::tempdir().unwrap();
    let target = |name: &str| place.path().join(name);

    fs::write(&file, &changed).unwrap();
    let refused = refusal(&restore(&to, &target("changed")));
    assert!(refused.contains("not in order"), "{refused}");
    assert!(
        !target("changed").join("control.db").exists(),
        "no server would start on it"
    );
    fs::write(&file, &whole[..whole.len() / 2]).unwrap();
    refusal(&restore(&to, &target("torn")));
    fs::write(&file, &whole).unwrap();
    fs::remove_file(&manifest).unwrap();
    let refused = refusal(&restore(&to, &target("unfinished")));
    assert!(refused.contains("not finished"), "{refused}");
    let size = text_of.find("\"size\": ").unwrap() + 8;
    fs::write(&manifest, format!("{}1{}", &text_of[..size], &text_of[size..])).unwrap();
    let refused = refusal(&restore(&to, &target("other")));
    assert!(refused.contains("not the journal that was copied"), "{refused}");
    fs::write(&manifest, text_of).unwrap();
    line(&restore(&to, &target("whole")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_of_one_computer_moves_to_a_companys_server_with_its_journal_its_agents_and_its_owner() {
    // As the app founds it: the owner has no address, and a password that nobody knows.
    let solo = Data {
        folder: tempfile::tempdir().unwrap(),
        tenant: String::new(),
    };
    let founded = run(
        &[
            "init",
            "--data",
            &solo.text(),
            "--tenant",
            "Ada on this computer",
            "--email",
            "owner@localhost",
            "--name",
            "Ada",
            "--solo",
            "--password-stdin",
        ],
        "a password that nobody knows\n",
    );
    let tenant = line(&founded)["tenantId"].as_str().unwrap().to_owned();
    let solo = Data::of(solo.folder, &tenant);
    let key = solo.key();
    let running = solo.serve(&[]);
    assert_eq!(running.propose(&key, &tenant, "system health").await.0, 200);
    drop(running);
    let aside = tempfile::tempdir().unwrap();
    let to = aside.path().join("copy");
    let made = line(&solo.backup(&to));

    let company = Data::new();
    let refused = refusal(&adopt(&to, &company, &tenant, &[], ""));
    assert!(refused.contains("--email"), "nobody could sign in: {refused}");
    let taken = adopt(
        &to,
        &company,
        &tenant,
        &["--email", "ada@acme.example", "--password-stdin"],
        "another good password\n",
    );
    assert!(refusal(&taken).contains("another person's account"));
    let stranger = "00000000-0000-4000-8000-000000000000";
    assert!(refusal(&adopt(&to, &company, stranger, &[], "")).contains("has no tenant"));
    let running = company.serve(&[]);
    let (_, before) = running.known(&company.tenant, "ada@acme.example", PASSWORD).await;
    let busy = adopt(
        &to,
        &company,
        &tenant,
        &["--email", "ada@home.example", "--password-stdin"],
        "another good password\n",
    );
    assert!(
        refusal(&busy).contains("another Countersign server"),
        "it must not run"
    );
    drop(running);

    let adopted = adopt(
        &to,
        &company,
        &tenant,
        &["--email", "ada@home.example", "--password-stdin"],
        "another good password\n",
    );
    assert_eq!(line(&adopted), made["tenants"][0]);
    let twice = adopt(
        &to,
        &company,
        &tenant,
        &["--email", "ada2@home.example", "--password-stdin"],
        "another good password\n",
    );
    assert!(refusal(&twice).contains("has tenant"));
    let running = company.serve(&[]);
    let (log_key, proposals) = running
        .known(&tenant, "ada@home.example", "another good password")
        .await;
    assert_eq!(log_key, made["tenants"][0]["logKey"]);
    assert_eq!(
        proposals.as_array().unwrap().len(),
        1,
        "with all that was asked for"
    );
    assert_eq!(
        running.propose(&key, &tenant, "system health details").await.0,
        200
    );
    assert_eq!(
        running.propose(&key, &company.tenant, "system health").await.0,
        404,
        "its agents are its own"
    );
    let (_, after) = running.known(&company.tenant, "ada@acme.example", PASSWORD).await;
    assert_eq!(after, before, "who was here is as before");
}
