# Credentials of consumers lie in this file: it is for the gateway alone.
if command -v systemd-sysusers >/dev/null; then
    systemd-sysusers gatewayctl.conf
    chown root:gatewayctl /etc/gatewayctl/kong.yml
fi
if [ -d /run/systemd/system ]; then
    systemctl daemon-reload
    systemctl try-restart gatewayctl.service
fi
