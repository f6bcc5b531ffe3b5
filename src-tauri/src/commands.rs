//! What the page may ask for: each command is one call into the engine and its mapping to a view model.

use std::str::FromStr;

use countersign_engine::{
    ByProvider, Choice, Connect, Credential, ErrorCode, Resolve,
    ports::{Clock, SystemClock},
    views::Permission,
};
use secrecy::SecretString;
use tauri::State;

use crate::{
    error::CommandError,
    shell::{Shell, device_name},
    view::{
        app::{AppState, BackedUp, JournalCheck},
        card::{Card, Decide, Decided, ResolveForm, Verdict},
        connections::{ConnectionForm, Connections, TestResult, form_field},
        edit::{Edit, EditForm, Edited},
        inbox::{InboxPage, InboxQuery},
        journal::{JournalCopy, SavedJournal},
        people::{Agents, Device, InviteForm, InviteMade, People, Review, RevokeForm, Role},
        radar::Radar,
        requests::{DraftView, Submitted, TaskPage},
        rules::{JudgedTable, NewTable, RulesPage},
        setup::{ConnectByProvider, ConnectCompany, Copy, FirstAgent, StartHere},
        stops::{Scope, StopChoice},
    },
};

type Answer<T> = Result<T, CommandError>;

/// Everything the frame of the window needs. Asked at start and after every hint.
#[tauri::command]
#[specta::specta]
pub async fn app_state(shell: State<'_, Shell>) -> Answer<AppState> {
    // The page asks once it listens to events.
    shell.navigation.page_listens();
    shell.app_state().await
}

/// First run, *On this computer*: makes tenant, owner, device key and one agent key.
#[tauri::command]
#[specta::specta]
pub async fn start_here(shell: State<'_, Shell>, form: StartHere) -> Answer<FirstAgent> {
    shell.start_here(form).await
}

/// Copies of a tenant that can be put back at the first start, newest first.
#[tauri::command]
#[specta::specta]
pub async fn copies(shell: State<'_, Shell>) -> Answer<Vec<Copy>> {
    shell.copies().await
}

/// First run: puts a copy back in place of a new tenant. May take seconds.
#[tauri::command]
#[specta::specta]
pub async fn put_back(shell: State<'_, Shell>, folder: String) -> Answer<()> {
    shell.put_back(folder).await
}

/// Sends the sample proposals through the real agent endpoint. Solo tenants only.
#[tauri::command]
#[specta::specta]
pub async fn load_samples(shell: State<'_, Shell>) -> Answer<()> {
    shell.load_samples().await
}

/// First run *Connect to a company*, joining with an invite, and signing in again.
#[tauri::command]
#[specta::specta]
pub async fn connect_company(shell: State<'_, Shell>, form: ConnectCompany) -> Answer<()> {
    let password = SecretString::from(form.password);
    let credential = match form.invite {
        Some(invite) => Credential::Invite {
            code: invite.code.into(),
            name: invite.name,
            password,
        },
        None => Credential::Password(password),
    };
    let connect = Connect {
        url: form.url,
        email: form.email,
        credential,
        device_name: device_name(),
        tenant: None,
    };
    Ok(shell.engine()?.connect(connect).await?)
}

/// What people at that address call their company's provider; null where they sign in with passwords only.
#[tauri::command]
#[specta::specta]
pub async fn provider_name(shell: State<'_, Shell>, url: String) -> Answer<Option<String>> {
    Ok(shell.engine()?.provider_name(&url).await?)
}

/// Signs in with the company's provider, in the person's own browser. Answers when that has come back.
#[tauri::command]
#[specta::specta]
pub async fn connect_by_provider(shell: State<'_, Shell>, form: ConnectByProvider) -> Answer<()> {
    let url = form.url.clone();
    let by_provider = ByProvider {
        url: form.url,
        email: form.email,
        invite: form.code.map(SecretString::from),
    };
    let engine = shell.engine()?;
    let brought = tokio::select! {
        brought = engine.through_browser(by_provider, |page| open::that_detached(page)) => brought?,
        () = shell.browser_left.notified() => return Err(CommandError::refused("The sign-in was broken off.")),
    };
    let connect = Connect {
        url,
        email: String::new(),
        credential: Credential::Provider(brought),
        device_name: device_name(),
        tenant: None,
    };
    Ok(engine.connect(connect).await?)
}

/// Stops waiting for the browser.
#[tauri::command]
#[specta::specta]
pub async fn leave_browser(shell: State<'_, Shell>) -> Answer<()> {
    shell.browser_left.notify_waiters();
    Ok(())
}

/// Asks the keychain again, or opens again what could not be opened. An error keeps the keychain screen, with the new
/// message.
#[tauri::command]
#[specta::specta]
pub async fn try_again(shell: State<'_, Shell>) -> Answer<()> {
    shell.try_again().await
}

/// Begins anew on a computer whose keychain has lost this device's entry for good. The old files are put aside.
#[tauri::command]
#[specta::specta]
pub async fn begin_anew(shell: State<'_, Shell>) -> Answer<()> {
    shell.begin_anew().await
}

#[tauri::command]
#[specta::specta]
pub async fn sign_out(shell: State<'_, Shell>) -> Answer<()> {
    if shell.is_here() {
        return Err(CommandError::refused(
            "On this computer nobody signs in, so there is nothing to sign out of. Quit Countersign to end it.",
        ));
    }
    Ok(shell.engine()?.sign_out().await?)
}

#[tauri::command]
#[specta::specta]
pub async fn inbox(shell: State<'_, Shell>, query: InboxQuery) -> Answer<InboxPage> {
    Ok(InboxPage::new(
        shell.engine()?.inbox(query.into()).await?,
        SystemClock.now(),
    ))
}

/// The trusted card of one proposal, rendered from bodies checked against their leaves.
#[tauri::command]
#[specta::specta]
pub async fn card(shell: State<'_, Shell>, id: String) -> Answer<Card> {
    Ok(Card::new(
        shell.engine()?.card(named(&id)?).await?,
        SystemClock.now(),
    ))
}

/// Durable before it answers. Carries no content: the core signs its own stored bytes.
#[tauri::command]
#[specta::specta]
pub async fn decide(shell: State<'_, Shell>, form: Decide) -> Answer<Decided> {
    let form = countersign_engine::Decide {
        id: named(&form.id)?,
        view: named(&form.view_digest)?,
        verdict: match form.verdict {
            Verdict::Approve => Choice::Approve,
            Verdict::Reject => Choice::Reject,
        },
        comment: form.comment,
        confirmation: form.confirmation,
    };
    Ok(shell.engine()?.decide(form).await?.into())
}

/// Takes this person's own request back. It is signed once its time for undo is over.
#[tauri::command]
#[specta::specta]
pub async fn withdraw(shell: State<'_, Shell>, id: String) -> Answer<Decided> {
    Ok(shell.engine()?.withdraw(named(&id)?).await?.into())
}

/// Has what was written about a request that is over erased, for good.
#[tauri::command]
#[specta::specta]
pub async fn erase(shell: State<'_, Shell>, id: String, reason: String) -> Answer<()> {
    Ok(shell.engine()?.erase(named(&id)?, reason).await?)
}

/// Takes back this person's own approval (a new signed record), while it is possible.
#[tauri::command]
#[specta::specta]
pub async fn undo(shell: State<'_, Shell>, id: String) -> Answer<()> {
    Ok(shell.engine()?.undo(named(&id)?).await?)
}

/// The person has seen that what they signed about this proposal does not count.
#[tauri::command]
#[specta::specta]
pub async fn saw_refused(shell: State<'_, Shell>, id: String) -> Answer<()> {
    Ok(shell.engine()?.saw_refused(named(&id)?).await?)
}

/// Asks the proposer something. Durable before it answers.
#[tauri::command]
#[specta::specta]
pub async fn ask(shell: State<'_, Shell>, id: String, text: String) -> Answer<()> {
    Ok(shell.engine()?.ask(named(&id)?, text).await?)
}

/// Answers a question about this person's own request. Durable before it answers.
#[tauri::command]
#[specta::specta]
pub async fn answer(shell: State<'_, Shell>, id: String, question: String, text: String) -> Answer<()> {
    Ok(shell
        .engine()?
        .answer(named(&id)?, named(&question)?, text)
        .await?)
}

/// The form of a request that waits, with what was typed into it before.
#[tauri::command]
#[specta::specta]
pub async fn edit_form(shell: State<'_, Shell>, id: String) -> Answer<EditForm> {
    Ok(shell.engine()?.edit_form(named(&id)?).await?.into())
}

/// What an edit comes to. Kept on this device before it answers; nobody else sees it.
#[tauri::command]
#[specta::specta]
pub async fn draft_edit(shell: State<'_, Shell>, edit: Edit) -> Answer<Edited> {
    let id = named(&edit.id)?;
    Ok(shell.engine()?.draft_edit(edit.named(id)).await?.into())
}

#[tauri::command]
#[specta::specta]
pub async fn discard_edit(shell: State<'_, Shell>, id: String) -> Answer<()> {
    Ok(shell.engine()?.discard_edit(named(&id)?).await?)
}

/// Asks for what was typed, in place of the request.
#[tauri::command]
#[specta::specta]
pub async fn submit_edit(shell: State<'_, Shell>, edit: Edit) -> Answer<Submitted> {
    let id = named(&edit.id)?;
    let made = shell.engine()?.submit_edit(edit.named(id)).await?;
    Ok(Submitted { id: made.to_string() })
}

/// Says what became of a call whose outcome is unknown. Durable before it answers.
#[tauri::command]
#[specta::specta]
pub async fn resolve(shell: State<'_, Shell>, form: ResolveForm) -> Answer<()> {
    let word = Resolve {
        id: named(&form.id)?,
        happened: form.happened,
        note: form.note,
        confirmation: form.confirmation,
    };
    Ok(shell.engine()?.resolve(word).await?)
}

/// What can be stopped and is not.
#[tauri::command]
#[specta::specta]
pub async fn stop_choices(shell: State<'_, Shell>) -> Answer<Vec<StopChoice>> {
    let choices = shell.engine()?.stop_choices().await?;
    Ok(choices.into_iter().map(Into::into).collect())
}

/// Stops: once the tenant has it, nothing in the scope begins. Works offline too.
#[tauri::command]
#[specta::specta]
pub async fn stop(shell: State<'_, Shell>, scope: Scope, reason: Option<String>) -> Answer<()> {
    Ok(shell.engine()?.stop(scope_of(scope)?, reason).await?)
}

/// Wants a stop to end.
#[tauri::command]
#[specta::specta]
pub async fn release(shell: State<'_, Shell>, scope: Scope, confirmation: Option<String>) -> Answer<()> {
    Ok(shell.engine()?.release(scope_of(scope)?, confirmation).await?)
}

/// What the tenant asks of which call beyond policy's own rules.
#[tauri::command]
#[specta::specta]
pub async fn approval_rules(shell: State<'_, Shell>) -> Answer<RulesPage> {
    Ok(shell.engine()?.approval_rules().await?.into())
}

/// What a table of rules would come to. Changes nothing.
#[tauri::command]
#[specta::specta]
pub async fn judge_rules(shell: State<'_, Shell>, table: NewTable) -> Answer<JudgedTable> {
    let table = table.named().ok_or_else(CommandError::not_found)?;
    Ok(shell.engine()?.judge_rules(&table).await?.into())
}

/// Wants a table of rules, or the same that somebody else wants.
#[tauri::command]
#[specta::specta]
pub async fn change_rules(shell: State<'_, Shell>, table: NewTable) -> Answer<()> {
    let table = table.named().ok_or_else(CommandError::not_found)?;
    Ok(shell.engine()?.change_rules(table).await?)
}

/// What the text would propose, not to begin before a time (RFC 3339, or empty). Makes nothing.
#[tauri::command]
#[specta::specta]
pub async fn draft_request(shell: State<'_, Shell>, text: String, not_before: String) -> Answer<DraftView> {
    Ok(shell.engine()?.draft(&text, &not_before).await?.into())
}

#[tauri::command]
#[specta::specta]
pub async fn submit_request(shell: State<'_, Shell>, text: String, not_before: String) -> Answer<Submitted> {
    let id = shell.engine()?.submit(&text, &not_before).await?;
    Ok(Submitted { id: id.to_string() })
}

/// Everything that is not over: whose move it is, and what has waited too long.
#[tauri::command]
#[specta::specta]
pub async fn radar(shell: State<'_, Shell>) -> Answer<Radar> {
    Ok(shell.engine()?.radar().await?.into())
}

/// Tasks made so far, newest first, 100 at a time.
#[tauri::command]
#[specta::specta]
pub async fn tasks(shell: State<'_, Shell>, after: Option<String>) -> Answer<TaskPage> {
    Ok(shell.engine()?.tasks(after.as_deref()).await?.into())
}

#[tauri::command]
#[specta::specta]
pub async fn connections(shell: State<'_, Shell>) -> Answer<Connections> {
    Ok(shell.engine()?.connections().await?.into())
}

#[tauri::command]
#[specta::specta]
pub async fn add_connection(shell: State<'_, Shell>, form: ConnectionForm) -> Answer<()> {
    shell
        .engine()?
        .add_connection(form.into())
        .await
        .map_err(|mut error| {
            error.field = error.field.as_deref().map(form_field);
            error.into()
        })
}

#[tauri::command]
#[specta::specta]
pub async fn test_connection(shell: State<'_, Shell>, id: String) -> Answer<TestResult> {
    match shell.engine()?.test_connection(named(&id)?).await {
        Ok(()) => Ok(TestResult {
            ok: true,
            words: "It works. Nothing was sent.".to_owned(),
        }),
        // What the other side said is the result of the test.
        Err(error) if error.code == ErrorCode::Refused => Ok(TestResult {
            ok: false,
            words: error.message,
        }),
        Err(error) => Err(error.into()),
    }
}

#[tauri::command]
#[specta::specta]
pub async fn remove_connection(shell: State<'_, Shell>, id: String) -> Answer<()> {
    Ok(shell.engine()?.remove_connection(named(&id)?).await?)
}

#[tauri::command]
#[specta::specta]
pub async fn people(shell: State<'_, Shell>) -> Answer<People> {
    let mut people = shell.engine()?.people().await?;
    if shell.is_here() {
        let why = "This tenant is on this computer only, where nobody else reaches it.";
        people.invite = Permission {
            why_not: Some(why.to_owned()),
        };
    }
    Ok(people.into())
}

#[tauri::command]
#[specta::specta]
pub async fn invite(shell: State<'_, Shell>, form: InviteForm) -> Answer<InviteMade> {
    let (invited, url) = shell
        .engine()?
        .invite(form.email.clone(), form.role.into())
        .await?;
    Ok(InviteMade {
        email: form.email,
        code: invited.secret,
        url,
    })
}

#[tauri::command]
#[specta::specta]
pub async fn withdraw_invite(shell: State<'_, Shell>, id: String) -> Answer<()> {
    Ok(shell.engine()?.withdraw_invite(named(&id)?).await?)
}

#[tauri::command]
#[specta::specta]
pub async fn change_role(shell: State<'_, Shell>, id: String, role: Role) -> Answer<()> {
    Ok(shell.engine()?.change_role(named(&id)?, role.into()).await?)
}

#[tauri::command]
#[specta::specta]
pub async fn remove_member(shell: State<'_, Shell>, id: String) -> Answer<()> {
    Ok(shell.engine()?.remove_member(named(&id)?).await?)
}

#[tauri::command]
#[specta::specta]
pub async fn devices(shell: State<'_, Shell>) -> Answer<Vec<Device>> {
    Ok(shell
        .engine()?
        .devices()
        .await?
        .into_iter()
        .map(Into::into)
        .collect())
}

/// Confirms a waiting device by the code that it shows to its own person.
#[tauri::command]
#[specta::specta]
pub async fn endorse_device(shell: State<'_, Shell>, id: String, code: String) -> Answer<()> {
    Ok(shell.engine()?.endorse_device(named(&id)?, code).await?)
}

#[tauri::command]
#[specta::specta]
pub async fn revoke_device(shell: State<'_, Shell>, id: String, form: RevokeForm) -> Answer<()> {
    Ok(shell
        .engine()?
        .revoke_device(named(&id)?, form.try_into()?)
        .await?)
}

/// What had run on the word of a revoked device after its last good record.
#[tauri::command]
#[specta::specta]
pub async fn device_review(shell: State<'_, Shell>, id: String) -> Answer<Review> {
    Ok(shell.engine()?.device_review(named(&id)?).await?.into())
}

/// Gives this device a new key.
#[tauri::command]
#[specta::specta]
pub async fn rotate_key(shell: State<'_, Shell>) -> Answer<()> {
    Ok(shell.engine()?.rotate_key().await?)
}

#[tauri::command]
#[specta::specta]
pub async fn agents(shell: State<'_, Shell>) -> Answer<Agents> {
    Ok(shell.engine()?.agents().await?.into())
}

#[tauri::command]
#[specta::specta]
pub async fn create_agent(shell: State<'_, Shell>, name: String, personal: bool) -> Answer<FirstAgent> {
    shell.create_agent(name, personal).await
}

#[tauri::command]
#[specta::specta]
pub async fn revoke_agent(shell: State<'_, Shell>, id: String) -> Answer<()> {
    Ok(shell.engine()?.revoke_agent(named(&id)?).await?)
}

#[tauri::command]
#[specta::specta]
pub async fn set_notifications_paused(shell: State<'_, Shell>, paused: bool) -> Answer<()> {
    Ok(shell.engine()?.pause_notifications(paused).await?)
}

/// Ends the app. Where no tray is, nothing else does.
#[tauri::command]
#[specta::specta]
pub async fn quit(shell: State<'_, Shell>) -> Answer<()> {
    shell.quit.notify_one();
    Ok(())
}

/// Recomputes the whole tree from the first entry. May take seconds.
#[tauri::command]
#[specta::specta]
pub async fn verify_journal(shell: State<'_, Shell>) -> Answer<JournalCheck> {
    Ok(shell.engine()?.verify_journal().await?.into())
}

/// Asks where, and saves the journal there as the tenant exports it. Null when the person did not want to after all. May take
/// minutes.
#[tauri::command]
#[specta::specta]
pub async fn save_journal(shell: State<'_, Shell>, copy: JournalCopy) -> Answer<Option<SavedJournal>> {
    shell.save_journal(copy).await
}

/// How much of the journal that is being saved has come, in words. Null while none is.
#[tauri::command]
#[specta::specta]
pub async fn saved_so_far(shell: State<'_, Shell>) -> Answer<Option<String>> {
    Ok(shell.saving.so_far())
}

/// Ends what is being saved. Nothing is left of it.
#[tauri::command]
#[specta::specta]
pub async fn stop_saving(shell: State<'_, Shell>) -> Answer<()> {
    shell.saving.stop();
    Ok(())
}

/// Asks where, and saves both signed notes of a log that has shown two histories there. Answers with the path; null when the
/// person did not want to after all.
#[tauri::command]
#[specta::specta]
pub async fn save_evidence(shell: State<'_, Shell>) -> Answer<Option<String>> {
    shell.save_evidence().await
}

/// Copies the tenant on this computer into a new folder in the person's home, and checks the copy. May take seconds.
#[tauri::command]
#[specta::specta]
pub async fn back_up(shell: State<'_, Shell>) -> Answer<BackedUp> {
    shell.back_up().await
}

/// What the page calls something by. Text of another form than ours names nothing.
fn scope_of(scope: Scope) -> Answer<countersign_domain::record::Scope> {
    scope.named().ok_or_else(CommandError::not_found)
}

fn named<T: FromStr>(text: &str) -> Answer<T> {
    text.parse().map_err(|_| CommandError::not_found())
}
