//! The sample proposals: sent over HTTP by an agent with a real key, like everything else that is proposed.

use std::time::Duration;

use anyhow::ensure;
use countersign_domain::{canonical::Object, id::TenantId, record::Evidence, wire::Propose};
use reqwest::{Client, redirect};

/// The server is on this computer.
const PATIENCE: Duration = Duration::from_secs(20);

/// Proposes all samples to a tenant, with an agent's key.
///
/// # Errors
/// When one is not taken; those before it stay.
pub(crate) async fn send(propose_url: &str, tenant: TenantId, api_key: &str) -> anyhow::Result<()> {
    let client = Client::builder()
        .no_proxy()
        .redirect(redirect::Policy::none())
        .timeout(PATIENCE)
        .build()?;
    for sample in samples() {
        let answer = client
            .post(propose_url)
            .bearer_auth(api_key)
            .header("x-tenant-id", tenant.to_string())
            .json(&sample)
            .send()
            .await?;
        let status = answer.status();
        ensure!(
            status.is_success(),
            "the tenant answered {status}: {}",
            answer.text().await?
        );
    }
    Ok(())
}

fn samples() -> Vec<Propose> {
    vec![
        task(
            "Renew the office insurance",
            "The policy with Nordstern ends on 31 March. Ask for two other offers first.",
            "high",
            "The policy's own mail says that it renews by itself unless it is cancelled four weeks before.",
            &[("Mail of 2 March", "\"Your policy 88-1204 renews on 1 April.\"")],
        ),
        task(
            "Call back Meyer & Sons about order 4711",
            "They ask whether the delivery can be split over two weeks.",
            "normal",
            "Asked for by phone this morning.",
            &[],
        ),
        task(
            // What a hostile text looks like here: nothing is hidden, and nothing is HTML.
            "Pay invoice \u{202e}0084\u{202c} <b>today</b>",
            "The title has characters that turn the text around, and HTML. The card shows both for what they are.",
            "low",
            "A sample of text that tries to look like another.",
            &[],
        ),
        Propose {
            text: Some("system health".to_owned()),
            ..Propose::default()
        },
    ]
}

fn task(title: &str, description: &str, priority: &str, note: &str, evidence: &[(&str, &str)]) -> Propose {
    let input = Object::from_iter([
        ("title", title),
        ("description", description),
        ("priority", priority),
    ]);
    Propose {
        tool_id: Some("assistant.create_task".to_owned()),
        input: Some(input.into()),
        note: Some(note.to_owned()),
        evidence: evidence
            .iter()
            .map(|(title, value)| Evidence {
                title: (*title).to_owned(),
                value: (*value).to_owned(),
            })
            .collect(),
        ..Propose::default()
    }
}
