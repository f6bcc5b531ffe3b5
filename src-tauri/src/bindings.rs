//! The commands and events that cross to the page, and the TypeScript of their types.

use tauri::Runtime;
use tauri_specta::{Builder, collect_commands, collect_events};

use crate::{commands, view::app::EngineEvent};

/// Everything that crosses, once: the app and its tests are built from it.
pub(crate) fn builder<R: Runtime>() -> Builder<R> {
    Builder::new()
        .commands(collect_commands![
            commands::app_state,
            commands::start_here,
            commands::load_samples,
            commands::connect_company,
            commands::provider_name,
            commands::connect_by_provider,
            commands::leave_browser,
            commands::try_again,
            commands::sign_out,
            commands::inbox,
            commands::card,
            commands::decide,
            commands::undo,
            commands::saw_refused,
            commands::withdraw,
            commands::ask,
            commands::answer,
            commands::edit_form,
            commands::draft_edit,
            commands::discard_edit,
            commands::submit_edit,
            commands::erase,
            commands::resolve,
            commands::stop_choices,
            commands::stop,
            commands::release,
            commands::approval_rules,
            commands::judge_rules,
            commands::change_rules,
            commands::draft_request,
            commands::submit_request,
            commands::radar,
            commands::tasks,
            commands::connections,
            commands::add_connection,
            commands::test_connection,
            commands::remove_connection,
            commands::people,
            commands::invite,
            commands::withdraw_invite,
            commands::change_role,
            commands::remove_member,
            commands::devices,
            commands::endorse_device,
            commands::revoke_device,
            commands::device_review,
            commands::rotate_key,
            commands::agents,
            commands::create_agent,
            commands::revoke_agent,
            commands::set_notifications_paused,
            commands::back_up,
            commands::copies,
            commands::put_back,
            commands::begin_anew,
            commands::verify_journal,
            commands::save_journal,
            commands::saved_so_far,
            commands::stop_saving,
            commands::save_evidence,
            commands::quit,
        ])
        .events(collect_events![EngineEvent])
}

#[cfg(test)]
pub(crate) mod tests {
    use std::{collections::BTreeSet, env, fs, path::Path};

    use specta_typescript::Typescript;
    use tauri::test::MockRuntime;

    use super::*;

    /// The names of all commands, as the build script has them.
    pub(crate) const COMMANDS: &[&str] = &include!("../commands.in");
    const KEPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/ui/src/lib/bindings.ts");

    fn generated() -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bindings.ts");
        builder::<MockRuntime>()
            .export(Typescript::default(), &path)
            .unwrap();
        fs::read_to_string(&path).unwrap()
    }

    #[test]
    fn the_page_has_the_types_that_are_generated() {
        let generated = generated();
        if env::var_os("COUNTERSIGN_WRITE_BINDINGS").is_some() {
            fs::write(Path::new(KEPT), &generated).unwrap();
        }
        let kept = fs::read_to_string(Path::new(KEPT)).unwrap();
        assert!(
            kept == generated,
            "ui/src/lib/bindings.ts is stale: COUNTERSIGN_WRITE_BINDINGS=1 cargo test -p countersign --lib bindings"
        );
    }

    #[test]
    fn a_permission_is_made_for_every_command_and_the_window_is_granted_exactly_those() {
        let generated = generated();
        let registered: BTreeSet<&str> = generated
            .split("__TAURI_INVOKE(\"")
            .skip(1)
            .map(|rest| rest.split('"').next().unwrap())
            .collect();
        let listed: BTreeSet<&str> = COMMANDS.iter().copied().collect();
        assert_eq!(
            registered, listed,
            "a command without a permission is open to every window"
        );

        let capability: serde_json::Value =
            serde_json::from_str(include_str!("../capabilities/main.json")).unwrap();
        let granted: BTreeSet<&str> = capability["permissions"]
            .as_array()
            .unwrap()
            .iter()
            .map(|permission| permission.as_str().unwrap())
            .collect();
        let names: Vec<String> = COMMANDS
            .iter()
            .map(|name| format!("allow-{}", name.replace('_', "-")))
            .collect();
        let mut wanted: BTreeSet<&str> = names.iter().map(String::as_str).collect();
        wanted.extend(["core:event:allow-listen", "core:event:allow-unlisten"]);
        assert_eq!(
            granted, wanted,
            "the window gets our commands and events, nothing else"
        );
        assert_eq!(
            capability["windows"],
            serde_json::json!(["main"]),
            "only the one window"
        );
        assert!(capability.get("remote").is_none(), "no page from elsewhere");
    }
}
