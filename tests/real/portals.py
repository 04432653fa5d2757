"""Real portals on loopback, each in a temporary folder of its own: Tomcat with its examples, and nginx."""

import os
import pathlib
import shutil

from ports import accepts, free_port, start, wait_until

CATALINA_HOME = pathlib.Path("/usr/share/tomcat10")
EXAMPLES = pathlib.Path("/usr/share/tomcat10-examples/examples")
NGINX = shutil.which("nginx") or ("/usr/sbin/nginx" if os.path.exists("/usr/sbin/nginx") else None)


def has_tomcat():
    return shutil.which("java") and (CATALINA_HOME / "bin/bootstrap.jar").exists() and EXAMPLES.exists()


def has_nginx():
    return NGINX is not None


def pages(folder):
    """One public and one private page."""
    for name in ("public", "private"):
        (folder / name).mkdir(parents=True)
        (folder / name / "page.txt").write_text(name.upper())
    return folder


class Tomcat:
    """`/examples` as Debian ships it; `/site` with our pages, whose files may be written (PUT)."""

    def __init__(self, home):
        base = pathlib.Path(home) / "tomcat"
        for name in ("conf", "logs", "temp", "work", "webapps"):
            (base / name).mkdir(parents=True)
        self.files = pages(base / "site")
        self.port = free_port()
        (base / "conf/server.xml").write_text(SERVER.format(port=self.port, examples=EXAMPLES, site=self.files))
        (base / "conf/web.xml").write_text(WEB)
        environment = {
            **os.environ,
            "CATALINA_HOME": str(CATALINA_HOME),
            "CATALINA_BASE": str(base),
            "CATALINA_OPTS": "-Xmx256m -Djava.security.egd=file:/dev/urandom",
        }
        command = ["bash", str(CATALINA_HOME / "bin/catalina.sh"), "run"]
        self.process = start(command, base / "logs/out", env=environment)
        wait_until(lambda: accepts(self.port), "Tomcat starts")


class Nginx:
    """Each location says how nginx has read the path."""

    def __init__(self, home):
        base = pathlib.Path(home) / "nginx"
        base.mkdir(parents=True)
        self.port = free_port()
        (base / "nginx.conf").write_text(NGINX_CONF.format(base=base, port=self.port))
        command = [NGINX, "-p", str(base), "-e", str(base / "error.log"), "-c", str(base / "nginx.conf")]
        self.process = start(command, base / "out")
        wait_until(lambda: accepts(self.port), "nginx starts")


SERVER = """<Server port="-1">
  <Service name="Catalina">
    <Connector port="{port}" address="127.0.0.1" protocol="HTTP/1.1" connectionTimeout="20000"/>
    <Engine name="Catalina" defaultHost="localhost">
      <Host name="localhost" appBase="webapps" autoDeploy="false">
        <Context path="/examples" docBase="{examples}"/>
        <Context path="/site" docBase="{site}"><Resources allowLinking="false" cachingAllowed="false"/></Context>
      </Host>
    </Engine>
  </Service>
</Server>
"""

WEB = """<web-app xmlns="https://jakarta.ee/xml/ns/jakartaee" version="6.0">
  <servlet>
    <servlet-name>default</servlet-name>
    <servlet-class>org.apache.catalina.servlets.DefaultServlet</servlet-class>
    <init-param><param-name>readonly</param-name><param-value>false</param-value></init-param>
    <load-on-startup>1</load-on-startup>
  </servlet>
  <servlet>
    <servlet-name>jsp</servlet-name>
    <servlet-class>org.apache.jasper.servlet.JspServlet</servlet-class>
    <load-on-startup>3</load-on-startup>
  </servlet>
  <servlet-mapping><servlet-name>default</servlet-name><url-pattern>/</url-pattern></servlet-mapping>
  <servlet-mapping><servlet-name>jsp</servlet-name><url-pattern>*.jsp</url-pattern></servlet-mapping>
  <mime-mapping><extension>html</extension><mime-type>text/html</mime-type></mime-mapping>
  <welcome-file-list><welcome-file>index.html</welcome-file></welcome-file-list>
</web-app>
"""

NGINX_CONF = """daemon off;
master_process off;
worker_processes 1;
pid {base}/pid;
error_log {base}/error.log;
events {{ worker_connections 64; }}
http {{
  access_log off;
  default_type text/plain;
  client_body_temp_path {base}/body;
  proxy_temp_path {base}/proxy;
  fastcgi_temp_path {base}/fastcgi;
  uwsgi_temp_path {base}/uwsgi;
  scgi_temp_path {base}/scgi;
  server {{
    listen 127.0.0.1:{port};
    location /site/small/ {{ client_max_body_size 1m; proxy_pass http://127.0.0.1:9; }}
    location /site/public/ {{ return 200 "PUBLIC"; }}
    location /site/private/ {{ return 200 "PRIVATE"; }}
    location / {{ return 200 "OTHER"; }}
  }}
}}
"""

if __name__ == "__main__":
    # is everything here that these tests need?
    raise SystemExit(0 if has_tomcat() and has_nginx() and shutil.which("curl") else 1)
