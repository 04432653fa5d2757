# English, the reference: every other locale has exactly these keys.
# Say what happened (title), what it means (meaning), what to do now (remedy).

language = English
request-id = Request id
error-number = Error { $status }
footer-help = Quote it when you ask for help.

action-home = Go to the start page
action-retry = Try again
action-sign-in = Sign in
action-choose-tenant = Choose a tenant

bad-request-title = This address cannot be opened
bad-request-meaning = The request can be read in more than one way, so it was not passed on to the portal. Nothing was changed.
bad-request-remedy = Go to the start page and find your way from there. If a link brought you here, tell whoever published it.
bad-request-reason = Reason

tenant-conflict-title = This request names two tenants
tenant-conflict-meaning = { $firstPlace ->
    [host] Its host name
    [forwarded-host] The host name a proxy passed on
    [path] Its path
    [query] Its query
   *[header] Its header X-WSO2-Tenant
} says “{ $first }”, { $secondPlace ->
    [host] its host name
    [forwarded-host] the host name a proxy passed on
    [path] its path
    [query] its query
   *[header] its header X-WSO2-Tenant
} says “{ $second }”. A request can be for one tenant only, so neither was opened.
tenant-conflict-remedy = Choose the tenant you want to visit.

unknown-tenant-title = There is no tenant “{ $tenant }” here
unknown-tenant-meaning = The name may be misspelt, or the tenant was renamed or removed.
unknown-tenant-remedy = Check the address, or choose a tenant from the list.

sign-in-title = Sign in to see this page
sign-in-meaning = This part of the portal is only for people who have signed in, so your request was not passed on.
sign-in-remedy = Sign in, then open this page again.
sign-in-unset-remedy = No sign-in page is set up for this tenant. Ask the people who run the portal how to sign in.

sign-in-loop-title = Signing in did not work
sign-in-loop-meaning = You were sent to the sign-in page three times in 30 seconds, and the portal still did not recognise you. Your browser would go round in circles, so it was stopped here.
sign-in-loop-remedy-cookies = Allow cookies for this site, or leave private browsing.
sign-in-loop-remedy-account = Sign in with an account of this tenant.
sign-in-loop-remedy-operator = If it happens again, tell the people who run the portal: its tokens may not be accepted here.

token-refused-title = Your sign-in was not accepted
token-refused-meaning = The access token that came with this request does not count here. It may have expired, or be meant for another tenant.
token-refused-reason = Reason
token-refused-remedy = Sign in again, then open this page again.

forbidden-title = Your account may not open this page
forbidden-meaning = You are signed in, but your account lacks a permission that this page needs.
forbidden-missing = Missing permission
forbidden-remedy = Ask the people who run the portal for it, then sign in again.

foreign-origin-title = Another website tried to connect
foreign-origin-meaning = A page of another website tried to open a connection to the portal in your name. It was not let through. Nothing was changed.
foreign-origin-remedy = Open the portal itself and continue there. If that website is yours, ask the people who run the portal to allow its address.

portal-down-title = The portal does not answer
portal-down-meaning = It may be restarting, or the way to it is interrupted. Your request was not sent a second time.
portal-down-remedy = Try again in a minute.

portal-slow-title = The portal takes too long to answer
portal-slow-meaning = It received your request, but no answer came in time. If you sent a form or a file, it may still have arrived.
portal-slow-remedy = Check whether what you sent is there before you send it again.

unavailable-title = Please come back in a moment
unavailable-meaning = Your request cannot be checked right now. Your account is not affected.
unavailable-remedy = This usually passes within a minute. Then try again.

overloaded-title = The portal is very busy
overloaded-meaning = More requests have arrived than it serves at the same time. Your account is not affected.
overloaded-remedy = This usually passes within a minute. Then try again.

too-many-requests-title = Too many requests
too-many-requests-meaning = The portal has received more requests from your device or your network than it serves to one of them. Your account is not affected.
too-many-requests-remedy = Wait a moment, then try again. If this happens again, ask the people who run the portal.

sign-in-refused-title = Signing in did not work
sign-in-refused-meaning = The user name or the password is not right, or there were too many attempts with this name.
sign-in-refused-remedy = Wait a few minutes, then try again. If you have forgotten your password, ask for a new one.

not-found-title = There is no page at this address
not-found-meaning = The address may be misspelt, or the page was moved.
not-found-remedy = Go to the start page and find your way from there.

tenants-title = Choose a tenant
tenants-intro = Each tenant has a developer portal of its own.
tenants-search = Search by name
tenants-search-action = Search
tenants-count = { $count ->
    [one] One tenant
   *[other] { $shown } tenants
}
tenants-found = { $count ->
    [0] No tenant has “{ $query }” in its name
    [one] One tenant has “{ $query }” in its name
   *[other] { $shown } tenants have “{ $query }” in their names
}
tenants-list = Tenants
tenants-no-match = Check the spelling, or search for a part of the name.
tenants-show-all = Show all tenants
tenants-none-title = There is no tenant yet
tenants-none-meaning = A tenant appears here as soon as it has a folder of its own in the tenants folder.
tenants-none-remedy = If you expected to find your tenant here, ask the people who run the portal.
tenants-off-title = The list of tenants is not public
tenants-off-meaning = The people who run this portal do not show which tenants it has.
tenants-off-remedy = Use the address you were given; it names your tenant.

pages-label = Pages of the list
pages-current = Page { $page } of { $pages }
pages-go = Page { $page }
pages-previous = Previous
pages-next = Next

action-sign-out = Sign out
action-change-password = Change password
action-cancel = Cancel

# before the title of a page whose form was not accepted
page-with-error = Problem: { $title }

sign-in-page-title = Sign in
sign-in-name = User name or e-mail
sign-in-password = Password
sign-in-look-around = Look around without signing in
sign-in-other-tenant = Choose another tenant
password-show = Show

sign-in-wrong-title = You could not be signed in
sign-in-wrong-text = The user name or the password is not right, or the account cannot be used at the moment. Check both and try again; after too many attempts an account is locked for a while.
sign-in-empty-title = Something is missing
sign-in-empty-text = Type your user name and your password.
sign-in-locked-title = This account is locked
sign-in-locked-text = { $minutes ->
    [one] There were too many attempts with a wrong password. Try again in a minute.
   *[other] There were too many attempts with a wrong password. Try again in { $minutes } minutes.
}
sign-in-locked-for-good-title = This account is locked
sign-in-locked-for-good-text = It stays locked until the people who run the portal unlock it. Ask them to.
sign-in-disabled-title = This account is switched off
sign-in-disabled-text = Ask the people who run the portal to switch it on again.
sign-in-busy-title = Too many people are signing in
sign-in-busy-client-title = Too many sign-ins from your network at once
sign-in-busy-name-title = Too many sign-ins with this user name at once
sign-in-busy-text = { $seconds ->
    [one] Your password was not checked. Try again in a second.
   *[other] Your password was not checked. Try again in { $seconds } seconds.
}
sign-in-unavailable-title = Nobody can sign in right now
sign-in-unavailable-text = Your password was not checked and your account is not affected. Try again in a minute.
form-expired-title = This page was open for too long
form-expired-text = Nothing was sent on, to be safe. Fill in the form once more.

sign-out-page-title = Sign out?
sign-out-meaning = You are signed in as { $user }. Signing out ends this session in this browser; what you have stored stays.
sign-out-stay = Stay signed in

signed-out-title = You are signed out
signed-out-meaning = This browser is no longer signed in. What you have stored in the portal stays as it is.
signed-out-remedy = On a computer that others use too, close the browser as well.
action-sign-in-again = Sign in again

foreign-form-title = This form came from another website
foreign-form-meaning = A page of another website sent a form in your name. It was not let through. Nothing was changed.
foreign-form-remedy = Open the page here yourself and fill in the form again.

stale-form-title = This page was open for too long
stale-form-meaning = What you sent was not accepted, to be safe. Nothing was changed.
stale-form-remedy = Open the page again and send the form once more.

bad-form-title = This form could not be read
bad-form-meaning = What was sent is not what this page asks for, or it is too long. Nothing was changed.
bad-form-remedy = Open the page again and fill in the form.

password-page-title = Change your password
password-expired-reason = Your password has expired. Choose a new one, then you are signed in.
password-must-reason = Your password was set by somebody else. Choose one that only you know, then you are signed in.
password-current = Current password
password-new = New password
password-again = New password, once more
password-rules = What is asked of the new password
password-others-end = Every other browser with this account will be signed out.
password-wrong-title = The password was not changed
password-wrong-text = The current password is not right, or the account cannot be used at the moment. Check it and try again.
password-empty-title = The password was not changed
password-empty-text = Fill in every field.
password-differs-title = The password was not changed
password-differs-text = The two new passwords are not the same. Type the new one twice.
password-refused-title = The password was not changed
password-refused-text = The new password does not meet what is asked of it. What is missing is marked below.
password-unchecked-title = The password was not changed
password-unchecked-text = Whether the new password is known from a theft cannot be found out right now. Try again in a minute.
password-misconfigured-title = The password was not changed
password-misconfigured-text = What is asked of new passwords here cannot be checked. Tell the people who run the portal.
password-changed = Your password is changed. Every other browser was signed out.

rule-met = Met
rule-unmet = Not met
rule-min-length = { $count ->
    [one] At least one character
   *[other] At least { $count } characters
}
rule-max-length = { $count ->
    [one] At most one character
   *[other] At most { $count } characters
}
rule-not-username = Not your user name
# shown where the policy has a pattern and no words of its own for it: WSO2's pattern
rule-pattern = A digit, a small letter, a capital letter and one of ! @ # $ % & *
rule-not-common = Not one of those that everybody tries first
rule-no-context-word = Without your name, your e-mail address or the name of this portal
rule-min-score = Hard to guess: three or four words that do not belong together are good
rule-not-breached = Not known from a theft of passwords elsewhere
rule-not-used-before = { $count ->
    [one] Not the one you have now
   *[other] Not one of your last { $count } passwords
}
rule-another = Not the one you have now

account-page-title = Your account
account-user = User name
account-name = Name
account-email = E-mail
account-password-changed = Changed { $ago }.

sessions-title = Where you are signed in
sessions-intro = Every browser that is signed in with this account. End those you do not know, then change your password.
sessions-here = This browser
sessions-end = Sign out
sessions-end-one = Sign out { $device }
sessions-end-others = Sign out everywhere else
sessions-end-others-meaning = { $count ->
    [one] One other browser will be signed out at once. This one stays signed in.
   *[other] { $count } other browsers will be signed out at once. This one stays signed in.
}
sessions-end-others-action = { $count ->
    [one] Sign out one browser
   *[other] Sign out { $count } browsers
}
sessions-ended-one = That browser is signed out.
sessions-ended-others = Every other browser is signed out.
sessions-already-ended = That browser was signed out already.

device-on = { $browser } on { $system }
device-unknown = Unknown browser

ago-now = just now
ago-minutes = { $count ->
    [one] a minute ago
   *[other] { $count } minutes ago
}
ago-hours = { $count ->
    [one] an hour ago
   *[other] { $count } hours ago
}
ago-days = { $count ->
    [one] yesterday
   *[other] { $count } days ago
}
