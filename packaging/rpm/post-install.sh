# Credentials of consumers lie in this file: it is for the gateway alone. Once, so that the administrator may change it.
if command -v systemd-sysusers >/dev/null; then
    systemd-sysusers gatewayctl.conf
    if [ "$1" = 1 ]; then chown root:gatewayctl /etc/gatewayctl/kong.yml; fi
fi
if [ -d /run/systemd/system ]; then
    systemctl daemon-reload
    systemctl try-restart gatewayctl.service || true
fi
