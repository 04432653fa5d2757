//! Derives dependent properties of a change, and rejects contradictory ones (WSO2's rules, and consistency
//! checks of Doorward).

use super::{UpdateRefusal, update::ChangeDraft};

const PASSWORD: &str = "Recovery.Notification.Password.Enable";
const EMAIL_LINK: &str = "Recovery.Notification.Password.emailLink.Enable";
const EMAIL_CODE: &str = "Recovery.Notification.Password.OTP.SendOTPInEmail";
const SMS_CODE: &str = "Recovery.Notification.Password.smsOtp.Enable";
const USERNAME: &str = "Recovery.Notification.Username.Enable";
const BY_EMAIL: &str = "Recovery.Notification.Username.Email.Enable";
const BY_SMS: &str = "Recovery.Notification.Username.SMS.Enable";

/// Groups of which at most one may be on.
const AT_MOST_ONE: &[(&str, &[&str])] = &[
    (
        "admin-forced-password-reset",
        &[
            "Recovery.AdminPasswordReset.RecoveryLink",
            "Recovery.AdminPasswordReset.OTP",
            "Recovery.AdminPasswordReset.SMSOTP",
            "Recovery.AdminPasswordReset.Offline",
        ],
    ),
    (
        "user-email-verification",
        &["EmailVerification.AskPassword.EmailOTP", "EmailVerification.AskPassword.SMSOTP"],
    ),
    ("account-recovery", &[EMAIL_LINK, EMAIL_CODE]),
];

/// Connectors with switches for the characters of a one-time code.
const CODE_ALPHABETS: &[(&str, &str)] = &[
    ("self-sign-up", "SelfRegistration.OTP"),
    ("lite-user-sign-up", "LiteRegistration.OTP"),
    ("user-email-verification", "EmailVerification.OTP"),
    ("user-claim-update", "UserClaimUpdate.OTP"),
    ("account-recovery", "Recovery.Notification.Password.OTP"),
];

/// Adds the properties that follow from the requested ones, and rejects contradictions.
pub(super) fn derive_dependent(draft: &mut ChangeDraft<'_>) -> Result<(), UpdateRefusal> {
    password_recovery(draft)?;
    username_recovery(draft)?;
    for (connector, names) in AT_MOST_ONE {
        at_most_one(draft, connector, names)?;
    }
    for (connector, prefix) in CODE_ALPHABETS {
        require_character_class(draft, connector, prefix)?;
    }
    check_lengths(draft)
}

fn password_recovery(draft: &mut ChangeDraft<'_>) -> Result<(), UpdateRefusal> {
    let channels = [EMAIL_LINK, EMAIL_CODE, SMS_CODE];
    if !derive_switch(draft, PASSWORD, &channels)? {
        return Ok(());
    }
    // a link and a code by mail exclude each other
    let code = draft.requested(EMAIL_CODE) == Some(true);
    draft.derive(EMAIL_LINK, !code);
    draft.derive(EMAIL_CODE, code);
    draft.derive(SMS_CODE, true);
    Ok(())
}

fn username_recovery(draft: &mut ChangeDraft<'_>) -> Result<(), UpdateRefusal> {
    if derive_switch(draft, USERNAME, &[BY_EMAIL, BY_SMS])? {
        draft.derive(BY_EMAIL, true);
        draft.derive(BY_SMS, true);
    }
    Ok(())
}

/// Keeps a switch and its channels consistent. Returns true if it was switched on without a channel, and none is on.
fn derive_switch(
    draft: &mut ChangeDraft<'_>,
    switch: &str,
    channels: &[&str],
) -> Result<bool, UpdateRefusal> {
    let given =
        |draft: &ChangeDraft<'_>, on: bool| channels.iter().any(|name| draft.requested(name) == Some(on));
    match draft.requested(switch) {
        Some(false) if given(draft, true) => {
            return Err(contradiction(
                "account-recovery",
                format!(
                    "Enabling recovery options when connector is disabled, is not allowed: {switch} is false, so leave \
                     the channels out or switch it on."
                ),
            ));
        }
        Some(false) => channels.iter().for_each(|name| draft.derive(name, false)),
        // enabling the switch again keeps the channels that were chosen since
        Some(true) => {
            let one_on = channels.iter().any(|name| draft.is_on(name));
            let silent = !given(draft, true) && !given(draft, false);
            return Ok(silent && !one_on);
        }
        None if given(draft, true) || given(draft, false) => {
            let on = channels.iter().any(|name| draft.is_on(name));
            draft.derive(switch, on);
            if !on {
                for name in channels {
                    draft.derive(name, false);
                }
            }
        }
        None => {}
    }
    Ok(false)
}

fn at_most_one(
    draft: &ChangeDraft<'_>,
    connector: &'static str,
    names: &[&str],
) -> Result<(), UpdateRefusal> {
    if !names.iter().any(|name| draft.requested(name) == Some(true)) {
        return Ok(());
    }
    let on: Vec<_> = names.iter().copied().filter(|name| draft.is_on(name)).collect();
    if on.len() < 2 {
        return Ok(());
    }
    let reason = match connector {
        "account-recovery" => "Enabling both email link and email otp options are not allowed",
        _ => "At most one of these may be on",
    };
    Err(contradiction(
        connector,
        format!("{reason}: {} would be. Send false for the others.", on.join(" and ")),
    ))
}

fn require_character_class(
    draft: &ChangeDraft<'_>,
    connector: &'static str,
    prefix: &str,
) -> Result<(), UpdateRefusal> {
    let names = ["UseUppercaseCharactersInOTP", "UseLowercaseCharactersInOTP", "UseNumbersInOTP"]
        .map(|name| format!("{prefix}.{name}"));
    let touched = names.iter().any(|name| draft.requested(name) == Some(false));
    if touched && !names.iter().any(|name| draft.is_on(name)) {
        return Err(contradiction(
            connector,
            format!("A code needs characters: leave one of {} true.", names.join(", ")),
        ));
    }
    Ok(())
}

fn check_lengths(draft: &ChangeDraft<'_>) -> Result<(), UpdateRefusal> {
    let (least, most) = ("passwordPolicy.min.length", "passwordPolicy.max.length");
    if !draft.writes(least) && !draft.writes(most) {
        return Ok(());
    }
    let number = |name: &str| draft.value_after(name).parse::<u32>().ok();
    match (number(least), number(most)) {
        (Some(min), Some(max)) if min > max => Err(contradiction(
            "passwordPolicy",
            format!("No password could be long enough: {least} would be {min} and {most} {max}. Send both."),
        )),
        _ => Ok(()),
    }
}

fn contradiction(connector: &'static str, sentence: String) -> UpdateRefusal {
    UpdateRefusal::Contradiction { connector, sentence }
}
