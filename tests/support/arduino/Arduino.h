// As much of the ESP32's Arduino core as the example of docs/senders/arduino.md uses, on a PC.
#pragma once
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <string>
#include <unistd.h>

struct String : std::string {
  using std::string::string;
  String(const std::string &text) : std::string(text) {}
  String operator+(const char *more) const { return String(static_cast<std::string>(*this) + more); }
};

struct SerialPort {
  void begin(unsigned long) {}
  void printf(const char *format, ...) {
    va_list values;
    va_start(values, format);
    vprintf(format, values);
    va_end(values);
  }
};
inline SerialPort Serial;

inline uint32_t analogReadMilliVolts(uint8_t) { return 425; }
inline void configTime(long, int, const char *) {}
inline void delay(unsigned long) { usleep(1100000); }  // the clock has moved on by a second
