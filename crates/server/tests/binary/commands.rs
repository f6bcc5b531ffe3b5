//! What is done on the server's own machine: `init`, `agent-key`, `endorse`.

use super::*;

#[test]
fn init_makes_a_tenant_in_a_folder_of_its_owners_alone() {
    let data = Data {
        folder: tempfile::tempdir().unwrap(),
        tenant: String::new(),
    };
    let made = line(&data.init("Acme", PASSWORD));
    assert!(made["tenantId"].is_string() && made["userId"].is_string());
    assert_eq!(made.as_object().unwrap().len(), 2);
    for folder in ["", "tenants"] {
        let mode = fs::metadata(data.path().join(folder))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o700, "what is in there is nobody else's");
    }
    let second = line(&data.init("Second", PASSWORD));
    assert_eq!(second["userId"], made["userId"], "one person, two tenants");
    assert!(refusal(&data.init("Third", "not the password")).contains("not its password"));
    let nameless = data.init(" ", PASSWORD);
    assert!(refusal(&nameless).contains("tenant's name"));
}

#[test]
fn init_takes_the_password_from_standard_input_only() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let base = [
        "init",
        "--data",
        data.to_str().unwrap(),
        "--tenant",
        "Acme",
        "--email",
        "ada@acme.example",
    ];
    assert!(refusal(&run(&base, PASSWORD)).contains("--password-stdin"));
    let with = |more: &[&'static str]| [&base[..], more].concat();
    assert!(
        !run(&with(&["--password", PASSWORD]), "").status.success(),
        "arguments show in the process list"
    );
    assert!(refusal(&run(&with(&["--password-stdin"]), "elevenchars\n")).contains("at least 12"));
    assert_eq!(
        line(&run(&with(&["--password-stdin", "--solo"]), PASSWORD))
            .as_object()
            .unwrap()
            .len(),
        2
    );
}

#[test]
fn a_folder_with_other_things_in_it_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("thesis.txt"), "years of work").unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let data = folder.path().to_str().unwrap();
    let output = run(&["serve", "--data", data, "--listen", "127.0.0.1:0"], "");
    assert!(refusal(&output).contains("a folder of its own"));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    assert_eq!(
        fs::metadata(folder.path()).unwrap().permissions().mode() & 0o777,
        0o755
    );
}

#[tokio::test]
async fn an_agents_key_is_made_on_the_server_while_it_does_not_run() {
    let data = Data::new();
    let key = line(&data.agent_key("Bookkeeper"))["apiKey"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(key.starts_with("cs_agent_"));
    assert!(refusal(&data.agent_key("bookkeeper")).contains("in service already"));
    let elsewhere = Data {
        folder: data.folder,
        tenant: "01a203be-8cfd-74f8-811f-a3e134a1e92f".to_owned(),
    };
    assert!(refusal(&elsewhere.agent_key("x")).contains("no such tenant"));

    let running = elsewhere.serve(&[]);
    let beside = refusal(&elsewhere.agent_key("Second"));
    assert!(
        beside.contains("/api/agents"),
        "it says what to do instead: {beside}"
    );
    assert!(refusal(&elsewhere.init("Second", PASSWORD)).contains("using the data folder"));
    let tenants = running.sign_in(PASSWORD).await.1;
    let tenant = tenants["tenants"][0]["id"].as_str().unwrap().to_owned();
    let bearer = format!("Bearer {key}");
    let headers = [
        ("authorization", bearer.as_str()),
        ("x-tenant-id", tenant.as_str()),
    ];
    assert_eq!(
        running.call("GET", "/api/tools", &headers, Value::Null).await.0,
        200
    );
}

impl Running {
    /// Ada's next device asks to enter service: how it stands and the code that it shows.
    async fn enrol(&self, headers: &[(&str, &str)], ada: &str) -> Value {
        let challenge = self
            .call("POST", "/api/devices/challenge", headers, json!({}))
            .await
            .1;
        let key = SigningKey::from_seed(&random::bytes());
        let enrol = Enrol {
            challenge: challenge["challenge"].as_str().unwrap().parse().unwrap(),
            device: DeviceId::from_uuid(random::uuid()),
            name: "laptop".to_owned(),
            nonce: random::nonce(),
            public_key: key.public_key(),
            tenant: headers[1].1.parse().unwrap(),
            user: ada.parse().unwrap(),
        };
        let envelope = Record::signed(&enrol, &key).unwrap().to_envelope();
        let (status, answer) = self
            .call("POST", "/api/devices/enrol", headers, json!({"record": envelope}))
            .await;
        assert_eq!(status, 200, "{answer}");
        answer
    }
}

#[tokio::test]
async fn who_has_lost_every_device_comes_back_with_the_help_of_the_operator() {
    let data = Data::new();
    let running = data.serve(&[]);
    let ada = running.sign_in(PASSWORD).await.1;
    let bearer = format!("Bearer {}", ada["token"].as_str().unwrap());
    let headers = [
        ("authorization", bearer.as_str()),
        ("x-tenant-id", data.tenant.as_str()),
    ];
    let user = ada["userId"].as_str().unwrap();
    let lost = running.enrol(&headers, user).await;
    assert_eq!(lost["standing"], "active");
    let new = running.enrol(&headers, user).await;
    assert_eq!(new["standing"], "waiting", "a password alone is not enough");
    let code = new["code"].as_str().unwrap();
    let beside = refusal(&data.endorse("ada@acme.example", code));
    assert!(beside.contains("stop the server first"), "{beside}");
    running.signal("TERM");
    assert!(running.ended().0);

    let nobody = refusal(&data.endorse("eve@acme.example", code));
    assert!(nobody.contains("nobody with that e-mail address"), "{nobody}");
    let wrong = refusal(&data.endorse("ada@acme.example", "no code"));
    assert!(wrong.contains("shows this code"), "{wrong}");
    let device = line(&data.endorse("Ada@acme.example", code));
    assert_eq!(device["deviceId"], new["deviceId"]);
    let again = refusal(&data.endorse("ada@acme.example", code));
    assert!(again.contains("no device of that person waits"), "{again}");

    let running = data.serve(&[]);
    let listed = running.call("GET", "/api/devices", &headers, Value::Null).await.1;
    let known = listed["devices"]
        .as_array()
        .unwrap()
        .iter()
        .find(|known| known["id"] == new["deviceId"]);
    assert_eq!(known.unwrap()["state"], "active");
    assert_eq!(
        known.unwrap()["endorsedBy"]["kind"],
        "server",
        "the journal says who vouched"
    );
}

#[tokio::test]
async fn an_account_gets_a_password_from_the_operator_and_its_sessions_end() {
    let data = Data::new();
    let new = "another horse battery";
    let set = |email: &str, password: &str| {
        let data = data.text();
        run(
            &["password", "--data", &data, "--email", email, "--password-stdin"],
            &format!("{password}\n"),
        )
    };
    let running = data.serve(&[]);
    let ada = running.sign_in(PASSWORD).await.1;
    let bearer = format!("Bearer {}", ada["token"].as_str().unwrap());
    assert!(refusal(&set("ada@acme.example", new)).contains("stop the server first"));
    running.signal("TERM");
    assert!(running.ended().0);

    assert!(refusal(&set("eve@acme.example", new)).contains("no account"));
    assert!(refusal(&set("ada@acme.example", "short")).contains("at least 12 characters"));
    assert_eq!(line(&set("Ada@acme.example", new))["email"], "Ada@acme.example");

    let running = data.serve(&[]);
    assert_eq!(running.sign_in(PASSWORD).await.0, 401);
    assert_eq!(running.sign_in(new).await.0, 200);
    let headers = [
        ("authorization", bearer.as_str()),
        ("x-tenant-id", data.tenant.as_str()),
    ];
    assert_eq!(
        running.call("GET", "/api/tenant", &headers, Value::Null).await.0,
        401
    );
}

#[tokio::test]
async fn the_companys_provider_is_named_by_arguments_and_its_secret_comes_from_a_file() {
    let data = Data::new();
    let secret = data.folder.path().join("secret");
    let secret_text = secret.to_str().unwrap();
    let issuer = [
        "--oidc-issuer",
        "http://127.0.0.1:1",
        "--oidc-client-id",
        "countersign",
    ];
    let with = |more: &[&str]| {
        let (data, listen) = (data.text(), ["--listen", "127.0.0.1:0"]);
        let arguments = [&["serve", "--data", &data][..], &listen, &issuer, more].concat();
        refusal(&run(&arguments, ""))
    };
    assert!(with(&["--oidc-client-secret", secret_text]).contains("reading the client secret"));
    fs::write(&secret, "\n").unwrap();
    assert!(with(&["--oidc-client-secret", secret_text]).contains("client secret is empty"));
    assert!(with(&["--oidc-domain", "@acme.example"]).contains("not the domain"));

    fs::write(&secret, "hunter22hunter22\n").unwrap();
    let more = [
        &issuer[..],
        &["--oidc-client-secret", secret_text, "--oidc-name", "Acme ID"],
    ]
    .concat();
    let running = data.serve(&more);
    let methods = running.call("GET", "/api/auth/methods", &[], Value::Null).await;
    assert_eq!(methods, (200, json!({"provider": {"name": "Acme ID"}})));
    let away = running.call("GET", "/api/auth/provider", &[], Value::Null).await;
    assert_eq!((away.0, &away.1["code"]), (422, &json!("provider_unreachable")));
    running.signal("TERM");
    let (well, _, log) = running.ended();
    assert!(well);
    assert!(
        log.contains("The OpenID provider is of no use"),
        "the operator learns of it"
    );
    assert!(!log.contains("hunter22"), "a log must not hold the secret");
}
