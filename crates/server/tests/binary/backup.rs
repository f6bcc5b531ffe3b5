//! The drill: a data folder is copied while it is served, its server dies, the copy is put back, and a tenant moves to
//! another server. What was proved before is proved after, and everybody who could get in still can.

use super::*;
use countersign_verify::{Options, Verdict, verify};
use rusqlite::Connection;

impl Data {
    /// A folder with what was put back or taken in, and its tenant.
    fn of(folder: tempfile::TempDir, tenant: &str) -> Self {
        Self {
            folder,
            tenant: tenant.to_owned(),
        }
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

/// A server of its own with one tenant.
fn founded(tenant: &str, email: &str) -> Data {
    let mut data = Data {
        folder: tempfile::tempdir().unwrap(),
        tenant: String::new(),
    };
    data.tenant = found(&data, tenant, email);
    data
}

/// Founds one more tenant in a data folder, and gives its id.
fn found(data: &Data, tenant: &str, email: &str) -> String {
    let data = data.text();
    let init = ["init", "--data", &data, "--tenant", tenant, "--email", email];
    let made = run(
        &[&init[..], &["--password-stdin"]].concat(),
        &format!("{PASSWORD}\n"),
    );
    line(&made)["tenantId"].as_str().unwrap().to_owned()
}

impl Data {
    fn control(&self) -> Connection {
        Connection::open(self.path().join("control.db")).unwrap()
    }

    /// As after somebody's first sign-in with the company's provider.
    fn bind(&self, email: &str, issuer: &str, subject: &str) {
        let control = self.control();
        let account = "UPDATE account SET password = '' WHERE email = ?1 RETURNING user_id";
        let user: Vec<u8> = control.query_row(account, [email], |row| row.get(0)).unwrap();
        control
            .execute(
                "INSERT INTO identity (issuer, subject, user_id, linked_ms) VALUES (?1, ?2, ?3, 1)",
                (issuer, subject, user),
            )
            .unwrap();
    }

    /// Whom the provider vouches for: address, issuer, subject.
    fn bound(&self) -> Vec<(String, String, String)> {
        let control = self.control();
        let mut rows = control
            .prepare(
                "SELECT email, issuer, subject FROM identity JOIN account USING (user_id) ORDER BY email",
            )
            .unwrap();
        rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
            .unwrap()
            .map(Result::unwrap)
            .collect()
    }

    /// Every file below the folder, and the rows of the server's own store.
    fn everything(&self) -> Vec<String> {
        fn files(folder: &Path, into: &mut Vec<String>) {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                into.push(text(&path));
                if path.is_dir() {
                    files(&path, into);
                }
            }
        }
        let mut all = Vec::new();
        if self.path().exists() {
            files(&self.path(), &mut all);
        }
        if self.path().join("control.db").exists() {
            let control = self.control();
            for (table, column) in [
                ("account", "email"),
                ("tenant", "name"),
                ("identity", "subject"),
                ("agent_key", "hex(agent)"),
                ("invite_secret", "hex(invite)"),
            ] {
                let mut rows = control.prepare(&format!("SELECT {column} FROM {table}")).unwrap();
                let rows = rows.query_map([], |row| row.get::<_, String>(0)).unwrap();
                all.extend(rows.map(|row| format!("{table} {}", row.unwrap())));
            }
        }
        all.sort();
        all
    }
}

/// What a command that succeeded said to its operator.
fn said(output: &Output) -> String {
    line(output);
    String::from_utf8(output.stderr.clone()).unwrap()
}

impl Running {
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
    let bundle = running.bundle(&tenant, "").await;
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

#[test]
fn whom_the_provider_vouches_for_stays_bound_on_the_server_that_takes_the_tenant_in() {
    const ISSUER: &str = "https://id.acme.example";
    let from = founded("Acme", "ada@acme.example");
    from.bind("ada@acme.example", ISSUER, "ada-at-the-provider");
    let aside = tempfile::tempdir().unwrap();
    let to = aside.path().join("copy");
    line(&from.backup(&to));

    let company = founded("Beta", "bob@beta.example");
    let taken = said(&adopt(&to, &company, &from.tenant, &[], ""));
    assert!(taken.contains(&format!("--oidc-issuer {ISSUER}")), "{taken}");
    assert!(
        taken.contains("countersign-server password"),
        "nobody has to guess the way in: {taken}"
    );
    let bound = |email: &str, subject: &str| (email.to_owned(), ISSUER.to_owned(), subject.to_owned());
    assert_eq!(
        company.bound(),
        [bound("ada@acme.example", "ada-at-the-provider")]
    );

    let with_password = founded("Gamma", "carl@gamma.example");
    let taken = said(&adopt(
        &to,
        &with_password,
        &from.tenant,
        &["--email", "ada@home.example", "--password-stdin"],
        "another good password\n",
    ));
    assert!(taken.contains(ISSUER) && taken.contains("password"), "{taken}");
    assert_eq!(
        with_password.bound(),
        [],
        "an account has a password or a provider"
    );

    let taken_already = founded("Delta", "a.lovelace@delta.example");
    taken_already.bind("a.lovelace@delta.example", ISSUER, "ada-at-the-provider");
    let before = taken_already.everything();
    let refused = refusal(&adopt(&to, &taken_already, &from.tenant, &[], ""));
    assert!(
        refused.contains("another account here") && refused.contains("countersign-server password"),
        "one person of the provider's opens one account: {refused}"
    );
    assert_eq!(taken_already.everything(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_whom_the_server_knows_keeps_the_account_and_no_new_address_is_taken_for_it() {
    let from = founded("Acme", "ada@acme.example");
    let second = found(&from, "Acme Works", "ada@acme.example");
    let aside = tempfile::tempdir().unwrap();
    let to = aside.path().join("copy");
    line(&from.backup(&to));

    let company = founded("Beta", "bob@beta.example");
    let home: &[&str] = &["--email", "ada@home.example", "--password-stdin"];
    line(&adopt(
        &to,
        &company,
        &from.tenant,
        home,
        "another good password\n",
    ));
    let before = company.everything();
    let other: &[&str] = &["--email", "ada@work.example", "--password-stdin"];
    let refused = refusal(&adopt(&to, &company, &second, other, "a third good password\n"));
    for told in [
        "ada@home.example",
        "leave out --email",
        "countersign-server password",
    ] {
        assert!(refused.contains(told), "{told}: {refused}");
    }
    assert_eq!(company.everything(), before, "nothing was taken in");

    let taken = said(&adopt(&to, &company, &second, &[], ""));
    assert!(
        taken.contains("ada@home.example"),
        "it says whose account stays: {taken}"
    );
    let running = company.serve(&[]);
    for tenant in [&from.tenant, &second] {
        let (log_key, _) = running
            .known(tenant, "ada@home.example", "another good password")
            .await;
        assert!(log_key.is_string(), "the one account opens both: {log_key}");
    }
}

#[test]
fn what_cannot_be_taken_in_leaves_nothing_behind() {
    let from = founded("Acme", "ada@acme.example");
    let neighbour = found(&from, "Acme Works", "ada@acme.example");
    let aside = tempfile::tempdir().unwrap();
    let to = aside.path().join("copy");
    line(&from.backup(&to));
    let company = founded("Beta", "bob@beta.example");
    line(&adopt(&to, &company, &from.tenant, &[], ""));
    let nothing_comes_of = |data: &Data, told: &str| {
        let before = data.everything();
        let refused = refusal(&adopt(&to, data, &from.tenant, &[], ""));
        assert!(refused.contains(told), "{told}: {refused}");
        assert_eq!(data.everything(), before, "{told}");
    };
    nothing_comes_of(&company, "has tenant");

    let namesake = founded("Acme", "carl@other.example");
    nothing_comes_of(&namesake, "--same-name");

    let file = to.join("tenants").join(&from.tenant).join("tenant.db");
    let whole = fs::read(&file).unwrap();
    let new = founded("Delta", "dora@delta.example");
    let empty = Data::of(tempfile::tempdir().unwrap(), "");
    fs::create_dir(empty.path()).unwrap();
    fs::write(empty.path().join("lock"), "").unwrap();
    for (bytes, what) in [
        (
            b"not a database at all, and long enough to be read as one".to_vec(),
            "text",
        ),
        (fs::read(to.join("control.db")).unwrap(), "the server's own store"),
        (whole[..whole.len() / 2].to_vec(), "half of it"),
    ] {
        fs::write(&file, bytes).unwrap();
        for data in [&new, &empty] {
            let before = data.everything();
            refusal(&adopt(&to, data, &from.tenant, &[], ""));
            assert_eq!(data.everything(), before, "{what}");
        }
    }
    // Another tenant's whole file, and a description that agrees with it in all but the name of the tenant.
    fs::copy(to.join("tenants").join(&neighbour).join("tenant.db"), &file).unwrap();
    let manifest = to.join("backup.json");
    let mut described: Value = serde_json::from_slice(&fs::read(&manifest).unwrap()).unwrap();
    let tenants = described["tenants"].as_array_mut().unwrap();
    let other = tenants
        .iter()
        .find(|tenant| tenant["id"] == *neighbour)
        .unwrap()
        .clone();
    let one = tenants
        .iter_mut()
        .find(|tenant| tenant["id"] == *from.tenant)
        .unwrap();
    for member in ["size", "root", "logKey"] {
        one[member] = other[member].clone();
    }
    let honest = fs::read(&manifest).unwrap();
    fs::write(&manifest, described.to_string()).unwrap();
    nothing_comes_of(&new, "not the file of that tenant");

    fs::write(&manifest, honest).unwrap();
    fs::write(&file, whole).unwrap();
    line(&adopt(&to, &empty, &from.tenant, &[], ""));
    line(&adopt(&to, &namesake, &from.tenant, &["--same-name"], ""));
}
