<%@ page contentType="text/plain" import="java.util.*" %><%!
  private static final Map<String, Integer> VERIFIED = new TreeMap<>();
%><%
  String user = request.getParameter("username");
  String password = request.getParameter("password");
  if (request.getParameter("verifications") != null) {
    StringJoiner json = new StringJoiner(",", "{", "}");
    VERIFIED.forEach((name, count) -> json.add("\"" + name + "\":" + count));
    out.print(json);
  } else if (user != null && password != null) {
    synchronized (VERIFIED) { VERIFIED.merge(user, 1, Integer::sum); }
    String wrong = request.getHeader("Referer") == null ? "/site/login.jsp?error" : request.getHeader("Referer");
    response.sendRedirect(password.equals("correct") ? "/home" : wrong);
  } else {
    out.print("Who are you?");
  }
%>
