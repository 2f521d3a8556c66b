// A network that is there from the second look on.
#pragma once
enum wl_status_t { WL_CONNECTED = 3, WL_DISCONNECTED = 6 };

struct WiFiClass {
  int looks = 0;
  void begin(const char *, const char *) {}
  wl_status_t status() { return looks++ ? WL_CONNECTED : WL_DISCONNECTED; }
};
inline WiFiClass WiFi;
