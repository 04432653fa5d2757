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
unavailable-meaning = Sign-ins cannot be checked right now, or there is too much to do. Your account is not affected.
unavailable-remedy = This usually passes within a minute. Then try again.

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
