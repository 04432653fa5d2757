<?php
// The login form in PHP, as a router (`php -S 127.0.0.1:PORT router.php`) or as the script `login.php`. Each request is a
// process of its own, so a file counts.
$file = getenv("VERIFICATIONS");
$verified = json_decode(@file_get_contents($file) ?: "{}", true);
$path = parse_url($_SERVER["REQUEST_URI"], PHP_URL_PATH);
$is_login = $path === "/login" || $_SERVER["SCRIPT_NAME"] === "/login.php";
if ($path === "/verifications" || isset($_GET["verifications"])) {
    header("Content-Type: application/json");
    echo json_encode((object) $verified);
} elseif ($is_login && isset($_REQUEST["user_name"], $_REQUEST["password"])) {
    $user = $_REQUEST["user_name"];
    $user = is_array($user) ? implode(",", $user) : $user;
    $verified[$user] = ($verified[$user] ?? 0) + 1;
    file_put_contents($file, json_encode($verified));
    $wrong = $_SERVER["HTTP_REFERER"] ?? "/login?error";
    header("Location: " . ($_REQUEST["password"] === "correct" ? "/home" : $wrong), true, 302);
} else {
    echo "Who are you?";
}
