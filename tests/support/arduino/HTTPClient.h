// HTTP over a socket, for http://a.b.c.d:port/path.
#pragma once
#include <arpa/inet.h>
#include <sys/socket.h>
#include "Arduino.h"

class HTTPClient {
  std::string host, path, headers, answer;
  int port = 0;

 public:
  void setTimeout(uint16_t) {}
  bool begin(const String &url) {
    char address[64], rest[256];
    if (sscanf(url.c_str(), "http://%63[^:]:%d%255s", address, &port, rest) != 3) return false;
    host = address;
    path = rest;
    return true;
  }
  void addHeader(const String &name, const String &value) { headers += name + ": " + value + "\r\n"; }
  int POST(const String &body) {
    int connection = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in there{};
    there.sin_family = AF_INET;
    there.sin_port = htons(port);
    inet_pton(AF_INET, host.c_str(), &there.sin_addr);
    if (connect(connection, reinterpret_cast<sockaddr *>(&there), sizeof there)) return -1;
    std::string request = "POST " + path + " HTTP/1.1\r\nHost: " + host + "\r\nConnection: close\r\n" +
                          headers + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
    if (write(connection, request.data(), request.size()) < 0) return -2;
    char piece[4096];
    for (ssize_t n; (n = read(connection, piece, sizeof piece)) > 0;) answer.append(piece, n);
    close(connection);
    int status = -11;
    sscanf(answer.c_str(), "HTTP/1.1 %d", &status);
    return status;
  }
  String getString() { return String(answer.substr(answer.find("\r\n\r\n") + 4)); }
  void end() {}
};
