# 0: the last version goes, where an upgrade leaves one.
if [ "$1" = 0 ] && [ -d /run/systemd/system ]; then
    systemctl disable --now gatewayctl.socket gatewayctl.service || true
fi
